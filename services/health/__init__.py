"""Asks whether the systems that cellar needs answer. What follows from the answer stays out."""
