"""Ratios, not times: cellar beside references that are measured in the same run."""
