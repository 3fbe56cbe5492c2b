"""The steps of a run: files, rows, findings, completion. Nothing of Prefect comes in."""
