"""Reads archives and discrepancies for display. Nothing that writes comes in."""
