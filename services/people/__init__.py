"""Tells people by mail or chat what needs them. What endpoints hear stays in `messages`."""
