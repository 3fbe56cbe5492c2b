"""Commands that add and change sources."""
