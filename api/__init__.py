"""The receiver, as a FastAPI application. Prefect and the flows stay out."""
