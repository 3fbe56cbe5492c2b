"""Reads the settings and the secrets that are kept beside them. What is done with a setting stays out."""
