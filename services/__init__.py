"""What the product does, with adapters, domain and models. Prefect and FastAPI stay out."""
