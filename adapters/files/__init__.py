"""Bytes under keys, in a folder or a bucket. The meaning of the bytes stays out."""
