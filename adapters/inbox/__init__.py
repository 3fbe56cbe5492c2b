"""Payloads from their acknowledgement until their archive is complete. The database stays out."""
