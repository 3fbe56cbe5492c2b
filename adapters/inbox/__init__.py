"""Bodies until their archive is complete, refused bodies, and new settlement reports. The database stays out."""
