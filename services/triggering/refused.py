"""Refused bodies: lists their records in the database, releases the sound ones, dismisses what is no archive.

Releases and dismissals need neither database nor Prefect. The receiver, or the flow `sweep-inbox`, does the rest.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from adapters.database.transactions import pages
from adapters.inbox import quarantine
from adapters.inbox.inbox import Intake
from adapters.store import tombstones
from adapters.store.tombstones import known_by
from adapters.tables.archives import archives
from adapters.tables.runs import refused
from domain.archive.reading import identity_of
from domain.body.scan import Scanner
from models.archive.archive import WarningCode
from models.errors import Refused
from models.runs.receipt import ACCEPTED_BY, GIVEN_BY, RefusedDelivery
from models.views.parameters import Dismissal
from services.receipts import opened_raw_body, receipt_of

MOST_LISTED_AT_ONCE = 1000
log = structlog.get_logger()


async def list_all_refused() -> int:
    """List the refused deliveries and releases that the database does not have yet. Return how many there were.

    Raises Transient if the database or the inbox's bucket does not answer; the sweep tries again.
    """
    return await asyncio.to_thread(lambda: _list(quarantine.unlisted()))


async def list_refused(announced: Sequence[RefusedDelivery]) -> int:
    """List these refused deliveries, as `list_all_refused` does, unless that has listed them in the meantime."""
    return await asyncio.to_thread(lambda: _list(filter(quarantine.is_unlisted, announced)))


def restore_refused() -> int:
    """Record every refused delivery of the quarantine in an empty database, and return how many there are.

    Raises Transient if the database or the inbox's bucket does not answer.
    """
    deliveries = quarantine.refused()
    for page in pages(deliveries, MOST_LISTED_AT_ONCE):
        record(page)
    return len(deliveries)


def record(deliveries: Sequence[RefusedDelivery]) -> list[RefusedDelivery]:
    """Record refused deliveries, and return them without those of erased archives, which leave the quarantine.

    Raises Transient if database or inbox does not answer, or nobody knows what was erased.
    """
    known = ((each, known_by(each.reference, each.source, None, each.process_number, None)) for each in deliveries)
    gone = refused.record(deliveries, {each.delivery_id: its for each, its in known if its is not None})
    for each in (each for each in deliveries if each.delivery_id in gone):
        tombstones.count_returned(gone[each.delivery_id], [each.received_at])
        quarantine.erase([(each.delivery_id, each.receipt_id)])
        log.warning("a refused delivery of an erased archive is removed", digest=gone[each.delivery_id])
    return [each for each in deliveries if each.delivery_id not in gone]


def _list(deliveries: Iterable[RefusedDelivery]) -> int:
    """Record rows first: a record leaves the search only when its row is in the database."""
    count = 0
    for page in pages(deliveries, MOST_LISTED_AT_ONCE):
        kept = record(page)
        for delivery in kept:
            quarantine.set_listed(delivery)
        if kept:
            quarantine.sync_listed()
        for delivery in kept:
            quarantine.forget_unlisted(delivery)
        count += len(page)
    return count


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
        for chunk in body_chunks(receipt_id):
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
            source = min(deliveries, key=lambda each: each.received_at).source
            _take_in(body_chunks(receipt_id), now, source, {"x-cellar-source": "quarantine"})
    except FileNotFoundError:
        return _why_missing(receipt_id)
    for delivery in deliveries:
        quarantine.set_released(delivery, now)
    quarantine.remove_body(receipt_id)
    return None


def release_chosen(bodies: Mapping[str, Sequence[RefusedDelivery]], by: str, *, gives: bool = False) -> list[Outcome]:
    """Release refused bodies, and accept the deliveries that are set aside, for a person; `gives`: give their processes
    to the sources that sent them.

    Raises as `release_all` does, and as `accept`, except that what is refused is an outcome.
    """
    aside = {key: found[0] for key, found in bodies.items() if found[0].code == WarningCode.SOURCES_DIFFER}
    refused_bodies = {key: found for key, found in bodies.items() if key not in aside}
    return [*(_accepted(key, each, by, gives) for key, each in aside.items()), *release_all(refused_bodies)]


def _accepted(receipt_id: str, delivery: RefusedDelivery, by: str, gives: bool) -> Outcome:
    try:
        accept(str(delivery.reference), receipt_id, by, delivery.source if gives else None)
    except Refused as fault:
        return Outcome(receipt_id, fault)
    return Outcome(receipt_id, None)


def accept(reference: str, receipt_id: str, by: str, gives_to: str | None = None) -> None:
    """Take what another source sent into the inbox again, as a delivery in the name of the process's own source.

    The delivery says who has accepted it, and the store keeps that with its history. The run that follows lets the
    version count, so that the newest version is current. With `gives_to`, the source that sent it, the delivery is in
    that name, and the run gives it the process: what others sent is set aside unless it is accepted.

    Raises:
        Refused: the process has no such receipt, or its body is gone.
        Conflict: the archive is locked or damaged.
        Transient: database, store or inbox does not answer, or the inbox does not take the body now.
    """
    found = receipt_of(reference, receipt_id)
    headers = {"x-cellar-source": "accepted", GIVEN_BY if gives_to else ACCEPTED_BY: by}
    source = gives_to or archives.get(reference).source
    with opened_raw_body(reference, found) as body:
        _take_in(body.chunks, datetime.now(UTC), source, headers)


def _take_in(chunks: Iterable[bytes], now: datetime, source: str, headers: dict[str, str]) -> None:
    intake, scanner = Intake(), Scanner()
    try:
        for chunk in chunks:
            scanner.feed(chunk)
            intake.digest(chunk)
            intake.write([chunk])
        intake.accept(identity_of(scanner.close().document), now, headers, source)
    finally:
        intake.discard()


def body_chunks(receipt_id: str) -> Iterator[bytes]:
    """Yield the bytes of a refused body. Raises FileNotFoundError if it is not in quarantine."""
    with quarantine.opened_body(receipt_id) as body:
        while chunk := body.read(_CHUNK_BYTES):
            yield chunk


def dismiss(deliveries: Iterable[RefusedDelivery], dismissal: Dismissal, now: datetime) -> list[RefusedDelivery]:
    """Record durably that refused deliveries need nobody any more, and return those that did until now.

    Their bodies stay in quarantine, and can be released later. The sweep brings the records into the database.

    Raises Transient if the inbox does not answer. The deliveries before it are dismissed.
    """
    return [
        quarantine.set_dismissed(each, dismissal.by, dismissal.why, now)
        for each in map(quarantine.newest, deliveries)
        if each.released_at is None and not each.is_dismissed
    ]


def withdraw(by: str, at: datetime, now: datetime) -> int:
    """Take back what a person dismissed at a moment, and return the number of bodies.

    Raises as `dismiss` does, and Transient if the database does not answer.
    """
    theirs = map(quarantine.newest, refused.dismissed_at(by, at))
    withdrawn = [
        quarantine.set_withdrawn(each, now)
        for each in theirs
        if (each.dismissed_by, each.dismissed_at) == (by, at) and each.is_dismissed and each.released_at is None
    ]
    if withdrawn:
        record(withdrawn)
    return len({each.receipt_id for each in withdrawn})
