"""The JSON API over archives and discrepancies. The receiving of deliveries stays out."""
