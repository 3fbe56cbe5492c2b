"""Who calls, what they may reach, and the log of what they did. The rules are those of `domain/access.py`."""
