"""Nouns: frozen dataclasses for what is read, tables for what is kept. No other floor of the project comes in."""
