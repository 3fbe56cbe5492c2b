"""Reads a receipt's raw body and archive, and removes the receipt from the inbox. Steps of a run stay out."""
