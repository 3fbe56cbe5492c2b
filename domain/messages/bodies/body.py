"""Writes the bodies of messages as JSON, each small enough for receivers."""

import json
from typing import Any

from models.messages.body import MOST_BYTES, Body

MOST_SIGNS = 200
"""The longest text in a body, apart from references, addresses and sentences. Payloads may have longer texts."""
LONGEST_SENTENCE = 800
MOST_REPORTED = 50
"""The most entries of a list."""


def encoded(body: Body, listing: str | None = None) -> bytes:
    """Return a body as JSON in ASCII. The same body gives the same bytes. Pure.

    Args:
        listing: the list in `data` whose last entries are left out until the body fits into `MOST_BYTES`.
    """
    content = body.model_dump(mode="json", exclude_unset=True)
    whole = _json(content)
    while len(whole) > MOST_BYTES and listing and content["data"][listing]:
        content["data"][listing].pop()
        whole = _json(content)
    return whole


def cut(text: str, most: int = MOST_SIGNS) -> str:
    """Return the beginning of a text. A long text ends with `…`. Pure."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
