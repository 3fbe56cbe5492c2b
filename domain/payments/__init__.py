"""Judges the money of one archive: standings, amounts, discrepancies. Nothing about provider reports comes in."""
