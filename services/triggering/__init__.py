"""Starts runs of deliveries, and re-runs for people. Steps of a run stay out."""
