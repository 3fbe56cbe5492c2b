"""Examines files that may be hostile, in processes with limits. Uses neither the store nor the database."""
