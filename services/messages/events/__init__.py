"""Announces events, and plans a message about each event for each endpoint. Other rooms send the messages."""
