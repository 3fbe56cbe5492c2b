"""Rows of archives: versions, signed documents, and all that the database has of some archives. Runs stay out."""
