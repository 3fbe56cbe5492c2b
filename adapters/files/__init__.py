"""Bytes under keys, in a folder or a bucket. Nothing that knows what the bytes mean comes in."""
