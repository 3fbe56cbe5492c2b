"""The flow `process-archive` and what runs it. Imports adapters, domain, models."""
