"""Files that other programs have signed, kept as they were made."""
