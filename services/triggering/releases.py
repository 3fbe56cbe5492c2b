"""Releases refused bodies: checks them again, and takes the sound ones into the inbox.

It needs neither database nor Prefect. The receiver, or the flow `sweep-inbox`, does the rest.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.inbox import quarantine
from adapters.inbox.inbox import Intake
from domain.archive.reading import identity_of
from domain.body.scan import Scanner
from models.errors import Refused
from models.runs.refused import RefusedDelivery

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a refused body: `fault` says why it is still refused, None if it is released."""

    receipt_id: str
    fault: Refused | None


def release_all(bodies: Mapping[str, Sequence[RefusedDelivery]]) -> list[Outcome]:
    """Check refused bodies again, all before the first is released, and release the sound ones.

    Args:
        bodies: The refused deliveries of each body, by its receipt id.

    Raises:
        Transient: the inbox does not answer, or does not take a body now. The bodies before it are released.
    """
    waiting = {receipt_id: [each for each in bodies[receipt_id] if not each.released_at] for receipt_id in bodies}
    faults = {receipt_id: _fault_of(receipt_id) if waiting[receipt_id] else None for receipt_id in bodies}
    for receipt_id, fault in faults.items():
        if fault is None:
            faults[receipt_id] = _release(receipt_id, waiting[receipt_id])
    return [Outcome(receipt_id, fault) for receipt_id, fault in faults.items()]


def _fault_of(receipt_id: str) -> Refused | None:
    """Check a refused body again, as the receiver does. Return why it is still refused, None if it is sound."""
    scanner, digest = Scanner(), hashlib.sha256()
    try:
        for chunk in _chunks(receipt_id):
            digest.update(chunk)
            scanner.feed(chunk)
        identity_of(scanner.close().document)
    except FileNotFoundError:
        return _why_missing(receipt_id)
    except Refused as refused:
        return refused
    if digest.hexdigest() != receipt_id:
        return Refused("BODY_DAMAGED", "the body in quarantine no longer matches its receipt id", where="body")
    return None


def _why_missing(receipt_id: str) -> Refused | None:
    """Return the fault of a body that is not in quarantine, None if another release has taken it in meanwhile."""
    if all(each.released_at for each in quarantine.refused() if each.receipt_id == receipt_id):
        return None
    return Refused("BODY_MISSING", "its body is no longer in quarantine", where="body")


def _release(receipt_id: str, deliveries: Sequence[RefusedDelivery]) -> Refused | None:
    """Take a sound body into the inbox, record the release of its refused deliveries, and remove it from quarantine.

    Killed before the record, it can be repeated: the archive gets one delivery more. Killed after it, a repetition only
    removes the body.

    Returns:
        Why it is not released: its body is gone. None also where another release was faster.
    """
    now = datetime.now(UTC)
    try:
        if deliveries:
            _take_in(receipt_id, now, min(deliveries, key=lambda each: each.received_at).source)
    except FileNotFoundError:
        return _why_missing(receipt_id)
    for delivery in deliveries:
        quarantine.set_released(delivery, now)
    quarantine.remove_body(receipt_id)
    return None


def _take_in(receipt_id: str, now: datetime, source: str) -> None:
    intake, scanner = Intake(), Scanner()
    try:
        for chunk in _chunks(receipt_id):
            scanner.feed(chunk)
            intake.digest(chunk)
            intake.write([chunk])
        identity = identity_of(scanner.close().document)
        intake.accept(identity, now, {"x-cellar-source": "quarantine"}, source)
    finally:
        intake.discard()


def _chunks(receipt_id: str) -> Iterator[bytes]:
    with quarantine.opened_body(receipt_id) as body:
        while chunk := body.read(_CHUNK_BYTES):
            yield chunk
