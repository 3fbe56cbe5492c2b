"""The JSON API over archives and discrepancies. Nothing that takes deliveries comes in."""
