"""Starts runs of deliveries, and re-runs for people. Nothing that a run does comes in."""
