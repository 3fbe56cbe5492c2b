"""Money of one archive: standings, amounts, discrepancies. Nothing of provider reports comes in."""
