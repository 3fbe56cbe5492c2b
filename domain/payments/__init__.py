"""Judges the money of one archive: standings, amounts, discrepancies. Provider reports stay out."""
