"""Sends messages to endpoints, and records each attempt. What the messages are about stays out."""
