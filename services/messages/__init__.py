"""Sends messages to endpoints, and makes summaries for people. Nothing that decides what is right comes in."""
