"""Moves an installation: files, then rows, each compared. What the files and rows mean stays out."""
