"""Payments of an archive, their ledger and their discrepancies. Provider reports stay out."""
