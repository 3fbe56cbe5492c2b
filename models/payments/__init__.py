"""Payments of an archive, their ledger and their discrepancies. Nothing about provider reports comes in."""
