"""Discrepancies across archives: found, opened, explained, closed. Nothing of provider reports comes in."""
