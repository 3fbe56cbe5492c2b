"""Finds card numbers and secrets, masks them and cuts them out of a skeleton. No key and no cipher comes in."""
