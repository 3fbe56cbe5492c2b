"""Judges how runs fail: the cause of a failure, and when a waiting run is tried again. Pure."""
