"""Scans, cuts and rebuilds the bytes of a request. Nothing that knows what an archive means comes in."""
