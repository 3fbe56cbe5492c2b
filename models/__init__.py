"""Nouns: frozen dataclasses for data in memory, tables for the database. No other floor of the project comes in."""
