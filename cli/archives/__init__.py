"""Commands that list, show, re-run, export and release archives. Long-running commands stay out."""
