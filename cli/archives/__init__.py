"""Commands that list, show, export and release archives. Nothing long-lived comes in."""
