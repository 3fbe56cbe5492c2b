"""Reads settlement reports, matches them to payments and counts them. Nothing that queries a database comes in."""
