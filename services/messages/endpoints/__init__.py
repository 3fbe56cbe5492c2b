"""Adds, changes, tests and shows endpoints. The sending of messages stays out."""
