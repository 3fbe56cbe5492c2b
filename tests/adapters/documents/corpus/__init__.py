"""Signed PDFs of our own making, each with the verdict that is right for it in `table.toml`."""
