"""Endpoints, events, and the messages that bring events to endpoints, with each attempt. Bodies stay out."""
