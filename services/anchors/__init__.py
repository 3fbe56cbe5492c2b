"""Anchors the store, and holds the store against an anchor. The check of single files stays out."""
