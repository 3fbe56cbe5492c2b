"""The steps of a run: files, rows, findings, completion. Prefect stays out."""
