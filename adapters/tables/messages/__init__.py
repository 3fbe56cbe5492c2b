"""Rows of endpoints, messages, attempts and redeliveries, and whose turn is next. Notices to people stay out."""
