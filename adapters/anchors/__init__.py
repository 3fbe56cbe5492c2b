"""Reads and writes anchors in the store, at the witness and at time-stamp authorities. Comparing them stays out."""
