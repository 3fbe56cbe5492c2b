"""Removes an archive: what names it in every table, in every folder of store and inbox, and in Prefect.

The plan, the second person and the progress are those of a batch (`services/batches/erase.py`).
"""
