"""Anchors in the store and at the witness, as they are written and read."""
