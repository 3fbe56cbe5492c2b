"""Nouns: frozen dataclasses for data in memory, tables for the database. All other floors stay out."""
