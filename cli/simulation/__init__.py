"""Sends realistic archives to a receiver and compares the outcome. Internals of the receiver stay out."""
