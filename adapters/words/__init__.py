"""The texts of each language, by gettext. `make console-texts` brings the Hebrew up to date. English is in the code."""
