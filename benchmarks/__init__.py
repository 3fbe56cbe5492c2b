"""Compares cellar with references in the same run: ratios, not times."""
