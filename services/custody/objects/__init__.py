"""Checks one object of the store: its files, inventories, versions, judgements and rows. Whole checks stay out."""
