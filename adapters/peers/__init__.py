"""HTTP to Prefect and to downstream endpoints. No code here decides what to send."""
