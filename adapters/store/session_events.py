"""Session events in the store: `events/YYYY/MM/DD/SHA256.jsonl` beside the archives, written once.

A file is named by the digests of its lines (`lines.py`), below the day on which it was written (UTC), so that an anchor
finds what is new. An erasure may replace lines. This path without its ending names the *batch*. Bodies too large for a
line are `events/bodies/SHA256`, named by their digests.

Failures raise Transient.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import lines
from models.errors import Conflict

FOLDER = "events"
_BODIES = f"{FOLDER}/bodies"
_BATCH = re.compile(rf"{FOLDER}/([0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}/[0-9a-f]{{64}})\.jsonl")
_BODY = re.compile(rf"{_BODIES}/[0-9a-f]{{64}}")


def keep_batch(text: bytes, now: datetime) -> str:
    """Put a batch into the store, durably, and return its name. The same lines of the same day are the same file."""
    batch = f"{now:%Y/%m/%d}/{lines.name_of(text)}"
    key = key_of(batch)
    if not store().keep_first(text, key):
        try:
            lines.read(key, store().found_bytes(key))  # an erasure may have replaced some
        except Conflict:
            store().overwrite_bytes(text, key)  # the file is damaged, and these are the bytes that it should hold
    return batch


def keep_body(place: Storage, name: str, receipt_id: str) -> bool:
    """Copy a large body into the store, durably. Return whether its bytes have the digest that names it.

    Raises FileNotFoundError if the body is not in `place`.
    """
    digest, key = hashlib.sha256(), body_key(receipt_id)
    with spooled(store().spool_folder) as spool:
        for chunk in place.chunks(name):
            checkpoint()
            digest.update(chunk)
            write_spooled(spool, chunk)
        if digest.hexdigest() != receipt_id:
            return False
        if store().digest_of(key) == receipt_id:
            store().keep(Path(spool.name), key)  # makes sure that it is durable
        else:
            store().overwrite(Path(spool.name), key)
    return True


def files(strange: dict[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """Yield all keys of session events with their sizes in bytes, in order. `strange` takes what is no file."""
    return store().listed(FOLDER, strange)


def batch_at(key: str) -> str | None:
    """Return the name of the batch under a key, None if the key is of no batch."""
    found = _BATCH.fullmatch(key)
    return found[1] if found else None


def is_body(key: str) -> bool:
    return _BODY.fullmatch(key) is not None


def digest_of_body(key: str) -> str:
    """Return the digest that the name of a body promises."""
    return key.rpartition("/")[2]


def key_of(batch: str) -> str:
    return f"{FOLDER}/{batch}.jsonl"


def body_key(receipt_id: str) -> str:
    return f"{_BODIES}/{receipt_id}"
