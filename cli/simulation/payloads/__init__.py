"""Realistic archives, faulty ones among them, made from a seed. Nothing that sends them comes in."""
