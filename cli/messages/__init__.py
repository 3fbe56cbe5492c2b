"""Adds, shows, tests and changes the endpoints that receive messages."""
