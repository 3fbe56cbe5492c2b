"""Checks the store, and rebuilds the database from it. Flow runs stay out."""
