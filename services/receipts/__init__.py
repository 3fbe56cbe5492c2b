"""One receipt: its raw body, its archive as read back, its way out of the inbox. No step of a run comes in."""
