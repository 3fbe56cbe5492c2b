"""Reads archives, compares them, and turns them into rows and warnings. No judgement about money comes in."""
