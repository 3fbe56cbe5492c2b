"""Bytes under keys, in a folder or a bucket. No code here knows what the bytes mean."""
