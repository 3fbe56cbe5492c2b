"""Finds, opens, explains and closes discrepancies across archives. Provider reports stay out."""
