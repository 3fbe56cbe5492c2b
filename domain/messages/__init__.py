"""Makes notifications, summaries and export pages for people and endpoints. Decisions stay out."""
