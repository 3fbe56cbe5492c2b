"""Keyed fingerprints of what must not be kept in clear, where only equality is needed."""

import hashlib
import hmac

from adapters.settings import settings


def fingerprint(text: str) -> str:
    """The same for the same text in one installation; without its key nobody can try texts out."""
    return hmac.new(settings()._kept_secret("fingerprint").encode(), text.encode(), hashlib.sha256).hexdigest()
