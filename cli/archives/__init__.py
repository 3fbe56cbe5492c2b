"""Commands that list, show, export and release archives. Long-running commands stay out."""
