"""Makes notifications, summaries and export pages for people and endpoints. No decision comes in."""
