"""The entries by which archives are found: written beside the rows that they follow from, and read in pages."""
