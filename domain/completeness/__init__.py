"""Reads session events, and decides which processes are missing."""
