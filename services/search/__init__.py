"""Fills in the entries by which archives are found, for archives that came before these, or with other settings."""
