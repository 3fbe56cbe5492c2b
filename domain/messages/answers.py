"""Makes the text of an endpoint's answer fit to be kept: without secrets, card numbers and addresses of people."""

import re
from collections.abc import Iterable

from domain.secrets.cards import without_card_numbers

MOST_KEPT = 4096
"""The length of a kept text, in characters."""
_SHORTEST_SECRET = 6
_MAIL = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_KEY = re.compile(r"(?:whsec_|whsk_|v1a?,)[A-Za-z0-9+/=_-]{8,}")
_TOKEN = re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]{8,}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def kept_text(body: bytes, secrets: Iterable[str] = ()) -> str | None:
    """Return the beginning of an answer as it is kept, or None for an empty answer. Pure.

    Args:
        body: bytes of any kind, which may end anywhere.
        secrets: what the message itself has and the answer may repeat.
    """
    text = body.decode(errors="replace")
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    text = _TOKEN.sub(r"\1\2***", _KEY.sub("***", _MAIL.sub("***", text)))
    return _UNPRINTABLE.sub(" ", without_card_numbers(text))[:MOST_KEPT].strip() or None
