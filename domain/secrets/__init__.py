"""Finds card numbers and secrets, masks them and cuts them out of a skeleton. Keys and ciphers stay out."""
