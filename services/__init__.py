"""What the product does, without Prefect and without HTTP. Adapters, domain and models come in."""
