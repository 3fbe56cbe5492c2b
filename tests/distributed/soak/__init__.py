"""Loads the distributed form for an hour with what arrives in production, and draws what it costs over time."""
