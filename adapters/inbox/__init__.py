"""Payloads from their acknowledgement until their archive is complete. No database comes in."""
