"""Payments of an archive, their ledger and their discrepancies. Nothing of provider reports comes in."""
