"""Reads settlement reports, matches them to payments and counts them. Queries of the database stay out."""
