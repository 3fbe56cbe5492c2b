"""Rows of what people did, saved and were notified of. Messages to endpoints stay out."""
