"""What needs a person, a page for each kind: failed, refused and missing archives, and discrepancies."""
