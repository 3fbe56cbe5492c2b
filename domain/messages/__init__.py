"""What people and endpoints are shown: notifications, summaries, export pages. No decision comes in."""
