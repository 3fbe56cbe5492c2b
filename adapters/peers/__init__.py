"""HTTP to Prefect and to downstream endpoints. Nothing that decides what to send comes in."""
