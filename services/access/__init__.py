"""Who calls, and what is kept of it. The rules themselves stay out: they are pure, in `domain/access.py`."""
