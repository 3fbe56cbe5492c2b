"""Adds, changes, tests and shows endpoints. The room `attempts` sends the messages."""
