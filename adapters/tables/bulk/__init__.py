"""Rows of bulk re-runs and of their archives. What a run does stays out."""
