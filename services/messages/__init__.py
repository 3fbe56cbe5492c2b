"""Messages to endpoints and summaries for people. Nothing that decides what is right comes in."""
