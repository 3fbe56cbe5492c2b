"""The files of trusted certificates that signed documents are judged by, as the settings name them."""

import hashlib
from pathlib import Path

from adapters.settings.settings import settings
from models.errors import Transient
from models.said import Sentence


def trust_roots() -> list[Path]:
    """Return the files of the trusted root certificates."""
    return [Path(each) for each in settings().trust_roots]


def trust_lists() -> list[Path]:
    """Return the files of the trust lists."""
    return [Path(each) for each in settings().trust_lists]


def trust_digest() -> str:
    """Return a digest of trust roots and trust lists. It changes with their content, not with their order or place.

    Raises Transient if a file cannot be read.
    """
    try:
        roots, lists = (
            sorted({hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
            for files in (trust_roots(), trust_lists())
        )
    except OSError as error:
        raise Transient(Sentence.trust_unreadable(reason=error.strerror)) from error
    return hashlib.sha256("\n".join([*roots, *(f"list {each}" for each in lists)]).encode()).hexdigest()
