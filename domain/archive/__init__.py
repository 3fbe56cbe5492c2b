"""Reads archives, compares them, and turns them into rows and warnings. Judgements about money stay out."""
