"""HTTP to Prefect and to downstream endpoints. Decisions about what to send stay out."""
