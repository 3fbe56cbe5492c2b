"""Rows of batches and of their items, and what the kinds of batches read and write. What an item does stays out."""
