"""Bulk re-runs: plans, confirms, drives, pauses and aborts them, and shows their record. Steps of a run stay out."""
