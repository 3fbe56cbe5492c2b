"""Anchors are made of the store, and the store is held against them."""
