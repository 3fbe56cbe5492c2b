"""Reads a receipt's raw body and archive, and removes the receipt from the inbox. No step of a run comes in."""
