"""Rows of session events, and of findings about missing processes. Arrivals of receipts are written elsewhere."""
