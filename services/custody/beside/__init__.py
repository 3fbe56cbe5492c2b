"""Checks the files beside the archives, and the keys: endpoints, session events, reports. Objects stay out."""
