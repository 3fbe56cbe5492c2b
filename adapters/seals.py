"""Keeps what must not be read: of a secret of which only equality is needed, a keyed fingerprint."""

import hashlib
import hmac

from adapters.settings import settings


def fingerprint(text: str) -> str:
    """The same for the same text in this installation, always; nobody without its key can tell the text."""
    return hmac.new(settings().fingerprint_key().encode(), text.encode(), hashlib.sha256).hexdigest()
