"""Sends messages to endpoints, and makes summaries for people. Judgements stay out."""
