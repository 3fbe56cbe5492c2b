"""Keeps the secrets that are generated at the first start, each in a file that only its owner may read."""

import base64
import os
import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from adapters.platform.durable import make_folder, sync_folder
from models.errors import Locked
from models.said import Sentence

_KEY_BYTES = {"seal": 64, "anchor": 32}
"""The sizes of the secrets that are keys, in base64; any other secret is text."""
LEAST_CHARACTERS = {"webhook": 16, "api": 32, "link": 32, "backup": 32, "prefect": 32}
"""The sizes of those texts, wherever they come from: a shorter one could be guessed."""


@lru_cache
def kept_secret(path: Path) -> str:
    """Return a generated secret, kept with mode 0600. A missing secret is generated. A process reads it once.

    Raises Locked if the file is empty, or holds no valid key, or a text that is too short.
    """
    if not path.exists():
        _make_secret(path)
    sync_folder(path.parent)  # another process may have made the secret and been killed before it synced
    text = path.read_text(errors="replace")
    if path.name in LEAST_CHARACTERS and not is_long(path.name, text):
        least = LEAST_CHARACTERS[path.name]
        raise Locked(f"{path} has fewer than {least} characters; restore it from a backup, or remove it for a new one")
    if path.name in _KEY_BYTES and not is_key(path.name, text):
        raise Locked(Sentence.file_damaged(path=str(path)))
    return text


def _make_secret(path: Path) -> None:
    """Generate a secret, durably: if a power cut loses a master key, all that it has wrapped is lost."""
    make_folder(path.parent.parent)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    sync_folder(path.parent.parent)
    with NamedTemporaryFile("w", dir=path.parent) as made:  # its mode is 0600
        made.write(_made_secret(path.name))
        made.flush()
        os.fsync(made.fileno())
        # Two processes may start at once. A link appears whole, and only the first link succeeds.
        with suppress(FileExistsError):
            os.link(made.name, path)


def _made_secret(name: str) -> str:
    if name in _KEY_BYTES:
        return base64.b64encode(secrets.token_bytes(_KEY_BYTES[name])).decode()
    user = "cellar:" if name == "prefect" else ""  # whose UI asks for both in one field
    return user + secrets.token_urlsafe(32)


def is_key(name: str, text: str) -> bool:
    """Return whether a text is a key in base64, of the size of the key `seal` or `anchor`."""
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES[name]
    except ValueError:
        return False


def is_long(name: str, text: str) -> bool:
    """Return whether a text is long enough for the secret of a name in LEAST_CHARACTERS."""
    return len(text.strip()) >= LEAST_CHARACTERS[name]
