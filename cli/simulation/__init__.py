"""Realistic Cellosign archives for demonstrations and end-to-end tests. Imports nothing of the project.

`archives` puts an archive together and is all that callers need; `scenarios` has the twenty that there are.
"""
