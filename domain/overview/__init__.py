"""Sums up what happened into periods, with what stood open at the end of each. Pure."""
