"""Thin Prefect flows: gather input, call a service, report. FastAPI stays out."""
