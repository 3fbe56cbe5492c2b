"""Digests of secrets and of what people type, for records that must not tell them."""

import hashlib
import hmac

from adapters.settings.settings import settings


def digest_of(secret: str) -> str:
    """Return the digest of a secret in hex. It hides a random secret alone."""
    return hashlib.sha256(secret.encode()).hexdigest()


def keyed_digest(purpose: str, text: str) -> str:
    """Return a digest in hex that nobody makes without the key of the installation, another for each purpose.

    So it also hides what could be guessed: a secret that a person chose, or the term of a search.
    """
    key = settings().active_link_secret().encode()
    return hmac.digest(key, f"{purpose}:{text}".encode(errors="replace"), "sha256").hex()
