"""FastAPI: webhook, archives, public link, health. Imports adapters, domain, models; never flows."""
