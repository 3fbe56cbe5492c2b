"""What Cellosign reports of sessions, and processes that should have been archived. Archives stay out."""
