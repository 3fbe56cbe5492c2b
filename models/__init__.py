"""Nouns. Imports the standard library, pydantic and sqlmodel, nothing of the project's other packages."""
