"""Deliveries become runs, and people re-run them. Nothing that a run does comes in."""
