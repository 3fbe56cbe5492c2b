"""The chains of the access log: each row's digest covers the row before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

FIRST = ""
"""Stands for the digest before the first row of a chain."""


def digest_of(before: str, row: Mapping[str, Any]) -> str:
    """Return the digest of a row in hex: of the digest before, and of the row's columns but its own digest. Pure."""
    columns = {name: value for name, value in row.items() if name != "digest"} | {
        "at": row["at"].astimezone(UTC).isoformat()
    }
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
