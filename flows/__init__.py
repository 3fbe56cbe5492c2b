"""Prefect flows, thin: gather, call a service, report. FastAPI stays out."""
