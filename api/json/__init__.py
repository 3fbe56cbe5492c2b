"""The JSON API over archives and discrepancies. Receiving of deliveries stays out."""
