"""Payloads from their acknowledgement until their archive is complete. Does not use the database."""
