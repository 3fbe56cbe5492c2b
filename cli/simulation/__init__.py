"""Sends realistic archives to a receiver and compares the outcome. Nothing of the running installation comes in."""
