"""Names the findings of processes that only a list names."""

import hashlib


def listed_id(source: str, process_number: int | None, transaction_number: int | None) -> str:
    """Return the id of the finding of a process that a list has and no archive. Pure."""
    return hashlib.sha256(f"listed {source} {process_number} {transaction_number}".encode()).hexdigest()
