"""Reads archives and discrepancies for display. Writes stay out."""
