"""How a reference is spelled: in JSON, in an address, in the name of an object's folder; and how it is redacted."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus


def spellings(reference: str) -> list[str]:
    """Return the ways in which cellar writes a reference, the longest first."""
    encoded, in_json = quote(reference, safe=""), json.dumps(reference)[1:-1]
    in_text = {reference, json.dumps(reference, ensure_ascii=False)[1:-1], in_json, json.dumps(in_json)[1:-1]}
    every = in_text | {quote(reference), quote_plus(reference), encoded, quote(encoded, safe="")}
    return sorted(every, key=lambda each: (-len(each), each))


def redacted(value: Any, reference: str, digest: str) -> Any:
    """Return a text, or JSON, with the digest of an erased archive in place of its reference. Entries of lists that are
    about that archive are left out. Pure.
    """
    if isinstance(value, str):
        return _pattern(reference).sub(digest, value)
    if isinstance(value, Mapping):
        return {name: redacted(each, reference, digest) for name, each in value.items()}
    if isinstance(value, list):
        about_others = [
            each for each in value if not (isinstance(each, Mapping) and each.get("reference") == reference)
        ]
        return [redacted(each, reference, digest) for each in about_others]
    return value


def redacted_text(text: str, reference: str, digest: str) -> str:
    """Return a text, which may be that of JSON, redacted. JSON stays JSON: no number in it is a reference. Pure."""
    try:
        value = json.loads(text) if text.startswith(("{", "[", '"')) else None
    except ValueError:
        value = None
    if value is None:
        return _pattern(reference).sub(digest, text)
    return json.dumps(redacted(value, reference, digest), separators=(",", ":"))


def is_in(value: Any, reference: str) -> bool:
    """Return whether a text, or JSON, names an archive."""
    text = value if isinstance(value, str) else json.dumps(value)
    return _pattern(reference).search(text) is not None


@lru_cache(64)
def _pattern(reference: str) -> re.Pattern[str]:
    """Return what finds a reference as a whole, behind an escape too: `17` in `urn%3acellar%3a17`, not in `170`."""
    begins = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
    return re.compile(rf"{begins}(?:{'|'.join(map(re.escape, spellings(reference)))})(?![^\W_])")
