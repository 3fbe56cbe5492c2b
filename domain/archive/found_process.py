"""Finds the process that a refused body is about, even where the body is no JSON.

Tolerant: it follows strings and brackets alone, and skips everything else. Bounded: it reads `MOST_BYTES` of a skeleton
and `_MOST_TOKENS` of them, which takes at most 10 ms for a hostile body. An honest body names its process within
the first hundred tokens.
"""

import json
import re
from dataclasses import dataclass
from itertools import islice

from domain.archive.reading import MAX_REFERENCE_CHARACTERS
from domain.body.node import UNSTORABLE

MOST_BYTES = 1 << 20
_MOST_TOKENS = 50_000
_INT64 = 1 << 63
_REFERENCES = {(b"", b"reference"), (b"", b"session", b"reference")}
"""The places in an archive and in a session event."""
_PROCESS_NUMBERS = {(b"", b"sessions", b"", b"process_number"), (b"", b"session", b"process_number")}

# All quantifiers are possessive, and a string without an end reaches to the end: no byte is tried twice.
_TOKEN = re.compile(
    rb'"(?P<string>[^"\\]*+(?:\\.[^"\\]*+)*+)(?P<end>"?)|(?P<opened>[\[{])|(?P<closed>[\]}])|(?P<mark>[:,])'
    rb'|(?P<scalar>[^ \t\n\r"\[\]{}:,]++)',
    re.DOTALL,
)
_DIGITS = re.compile(rb"-?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class FoundProcess:
    """The process of a body, as far as it can be read."""

    reference: str | None = None
    process_number: int | None = None


def process_in(skeleton: bytes) -> FoundProcess:
    """Return the first reference and process number at their places in the beginning of a skeleton. Pure.

    A reference that is itself a fault, like one with NUL, is left out.
    """
    reference: str | None = None
    process_number: int | None = None
    around: list[bytes] = []  # the key of each open container; empty in a list and at the root
    key = text = b""
    for token in islice(_TOKEN.finditer(skeleton[:MOST_BYTES]), _MOST_TOKENS):
        kind = token.lastgroup
        if kind == "opened":
            around.append(key)
            key = b""
        elif kind == "closed":
            del around[-1:]
            key = b""
        elif kind == "mark":
            key, text = (text if token["mark"] == b":" else b""), b""
        elif reference is None and len(around) <= 2 and (*around, key) in _REFERENCES:
            reference = _reference(token)
        elif process_number is None and len(around) in (2, 3) and (*around, key) in _PROCESS_NUMBERS:
            process_number = _number(token)
        elif kind == "end":
            text = token["string"]
        if reference is not None and process_number is not None:
            break
    return FoundProcess(reference, process_number)


def _reference(token: re.Match[bytes]) -> str | None:
    if not token["end"]:
        return None
    try:
        reference = json.loads((b'"%b"' % token["string"]).decode(), strict=False)
    except ValueError:  # no UTF-8, or a wrong escape
        return None
    is_storable = 0 < len(reference) <= MAX_REFERENCE_CHARACTERS and not UNSTORABLE.search(reference)
    return reference if is_storable else None


def _number(token: re.Match[bytes]) -> int | None:
    digits = token["scalar"] or (token["string"] if token["end"] else b"")
    if not _DIGITS.fullmatch(digits or b""):
        return None
    number = int(digits)
    return number if abs(number) < _INT64 else None
