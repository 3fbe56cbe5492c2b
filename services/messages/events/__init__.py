"""Announces events, and plans a message about each for each endpoint. The sending stays out."""
