"""Makes the bodies of messages, their signatures and schedule, and summaries of runs. Pages of exports stay out."""
