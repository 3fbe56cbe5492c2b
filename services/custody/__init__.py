"""Checks of the store, and the rebuild of the database from the store. No run comes in."""
