"""Keeps deliveries that said nothing new: what rebuilds their requests lies in the logs of the object.

Each has a record of the version that says the same, with the digests of its files, below which the digest of the record
itself stands.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.files.store import store
from adapters.platform.durable import digest_of_file
from adapters.store import ocfl
from adapters.store.ocfl import CUTS, DELIVERIES, REQUEST, SKELETON
from domain.body.cuts import read_cuts
from domain.secrets.sealing import content_root
from models.errors import Conflict
from models.said import Sentence

_RECEIPT = "receipt.json"
_FILES = (SKELETON, CUTS, REQUEST)
_OF_A_DELIVERY = re.compile(
    rf"{ocfl.LOGS}/{DELIVERIES}/([0-9a-f]{{64}})/({'|'.join(map(re.escape, (_RECEIPT, *_FILES)))})"
)


@dataclass(frozen=True, slots=True)
class KeptDelivery:
    """The record of a delivery: the number of the version that says the same, the SHA-256 of each file by name, and the
    content root.
    """

    version: int
    digests: Mapping[str, str]
    content_root: str


def kept_delivery(reference: str, receipt_id: str) -> KeptDelivery | None:
    """Return the record of a delivery that said nothing new; None where there is no record.

    Raises:
        Conflict: the record is damaged.
    """
    kept = store().found_bytes(kept_key(reference, receipt_id, _RECEIPT))
    if kept is None:
        return None
    try:
        receipt = json.loads(kept)
        found = KeptDelivery(receipt["version"], receipt["kept"], receipt["content_root"])
        if kept != _text(receipt_id, found):
            raise ValueError("the record is not as it was written")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise damaged_delivery(receipt_id) from error
    return found


def damaged_delivery(receipt_id: str) -> Conflict:
    return Conflict(Sentence.delivery_damaged(receipt=receipt_id), code="BODY_DAMAGED")


def delivery_of(path: str) -> str | None:
    """Return the receipt of the delivery that a path in an object belongs to; None for any other path."""
    found = _OF_A_DELIVERY.fullmatch(path)
    return found[1] if found else None


def delivered(paths: Iterable[str]) -> list[str]:
    """Return the receipts of the deliveries in an object's logs, from the paths in the object."""
    return sorted({receipt_id for path in paths if (receipt_id := delivery_of(path))})


def delivery_path(receipt_id: str) -> str:
    """Return the path of a delivery's record in its object."""
    return f"{ocfl.LOGS}/{DELIVERIES}/{receipt_id}/{_RECEIPT}"


def keep_delivery(reference: str, receipt_id: str, version: int, content: Path) -> None:
    """Write the files that rebuild a request that said nothing new. Idempotent.

    Raises:
        Transient: the store does not accept them now.
    """
    kept = {name: digest_of_file(content / name) for name in _FILES if (content / name).exists()}
    for name in kept:
        store().overwrite(content / name, kept_key(reference, receipt_id, name))
    root = content_root((content / SKELETON).read_bytes(), read_cuts((content / CUTS).read_bytes()))
    text = _text(receipt_id, KeptDelivery(version, kept, root))
    store().overwrite_bytes(text, kept_key(reference, receipt_id, _RECEIPT))


def kept_key(reference: str, receipt_id: str, name: str) -> str:
    """Return the key of a file of a delivery in the store."""
    return ocfl.log_key(reference, f"{DELIVERIES}/{receipt_id}/{name}")


def _text(receipt_id: str, kept: KeptDelivery) -> bytes:
    """Return the record of a delivery, which ends with the digest of the rest of itself."""
    receipt = {"receipt_id": receipt_id, "version": kept.version, "kept": kept.digests}
    receipt["content_root"] = kept.content_root
    digest = hashlib.sha256(json.dumps(receipt).encode()).hexdigest()
    return json.dumps(receipt | {"sha256": digest}).encode()
