"""Examines files that may be hostile, in processes with limits. The store and the database stay out."""
