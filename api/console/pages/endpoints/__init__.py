"""Endpoints, their messages, and plans to send messages again. The state of an archive never depends on them."""
