"""The files of trusted certificates that signed documents are judged by, as the settings name them."""

import hashlib
from pathlib import Path

from adapters.settings.settings import settings
from models.errors import Transient


def trust_roots() -> list[Path]:
    """Return the files of the trusted root certificates."""
    return [Path(root) for root in settings().trust_roots]


def trust_digest() -> str:
    """Return a digest of the trust roots. It changes with their content, not with their order or their place.

    Raises:
        Transient: a file cannot be read.
    """
    try:
        digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in trust_roots()}
    except OSError as error:
        raise Transient(f"a file of CELLAR_TRUST_ROOTS cannot be read: {error.strerror}") from error
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
