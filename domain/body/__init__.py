"""Scans, cuts and rebuilds the bytes of a request. The meaning of an archive stays out."""
