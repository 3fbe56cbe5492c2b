"""The inbox: bodies on stable storage, from the acknowledgement until their archive is complete.

It is a folder, or a prefix in a bucket. `waiting/` keeps a body once, as RECEIPT_ID.body, and a record per delivery, as
DELIVERY_ID.json. `imported/` keeps what `cellar import` took in, as RECEIPT_ID.body and DELIVERY_ID.RECEIPT_ID.json: it
gets no runs, and nobody is notified of it. `quarantine/` keeps the refused bodies (`quarantine.py`), `events/` the
session events (`session_events.py`). The inbox is the queue of the system: nothing else remembers which deliveries were
acknowledged and are not yet archived.

Failures raise Transient, except that writing the part of an incoming body raises OSError.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import orjson
import structlog

from adapters.files.storage import Storage
from adapters.files.store import storage_at
from adapters.inbox import quarantine
from adapters.inbox.quarantine import ARRIVED_AT, body_name, readable, readable_of
from adapters.platform.durable import make_folder, open_part, pushed, remove_parts, write_whole
from adapters.settings.settings import settings
from domain.archive.found_process import FoundProcess
from models.errors import Refused
from models.runs.receipt import DEFAULT_SOURCE, Delivery, Identity, RefusedDelivery
from models.said import Sentence

log = structlog.get_logger()

_MOST_KNOWN_DELIVERIES = 20_000
_RECORDS = "[0-9]*.json"


class Intake:
    """An incoming body, in a temporary file from the first `write` on. Another thread may `digest` during `write`."""

    def __init__(self) -> None:
        self._part: tuple[str, int] | None = None
        self._digest = hashlib.sha256()
        self._written_bytes = 0
        self._pushed_bytes = 0
        self.size_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether a file exists on the disk that `discard` would remove."""
        return self._part is not None

    @property
    def receipt_id(self) -> str:
        """The receipt id of the body so far."""
        return self._digest.hexdigest()

    def digest(self, *chunks: bytes) -> None:
        """Add the next chunks to the digest. They must also be written by `write`."""
        for chunk in chunks:
            self._digest.update(chunk)
            self.size_bytes += len(chunk)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Write the next chunks. They must also be added by `digest`, before or after."""
        _, descriptor = self._opened()
        for chunk in chunks:
            write_whole(descriptor, chunk)
            self._written_bytes += len(chunk)
        self._pushed_bytes = pushed(descriptor, self._pushed_bytes, self._written_bytes)

    def _opened(self) -> tuple[str, int]:
        if self._part is None:
            self._part = open_part(_waiting().part_folder)
        return self._part

    def accept(
        self,
        identity: Identity,
        received_at: datetime,
        headers: dict[str, str],
        source: str = DEFAULT_SOURCE,
        *,
        is_imported: bool = False,
    ) -> Delivery:
        """Put body and delivery on stable storage and return the delivery. Only then may it be acknowledged.

        `is_imported`: they wait for the flow `import-archives`, outside the queue.

        Raises:
            OSError: the disk does not take the part.
            Transient: the storage does not take the delivery, or its answer was lost. What was written does no harm.
        """
        delivery = Delivery(
            _delivery_id(received_at), self.receipt_id, identity.reference, received_at, self.size_bytes, headers,
            identity.process_number, identity.template_id, source,
        )  # fmt: skip
        if is_imported:
            self._become(_imported(), _imported_name(delivery), orjson.dumps(delivery))
        else:
            self.accept_again(delivery)
        return delivery

    def accept_again(self, delivery: Delivery) -> None:
        """Put the body on stable storage for a delivery that was accepted before, and may still wait."""
        self._become(_waiting(), f"{delivery.delivery_id}.json", orjson.dumps(delivery))

    def quarantine(
        self,
        refused: Refused,
        received_at: datetime,
        named: FoundProcess,
        source: str = DEFAULT_SOURCE,
        headers: dict[str, str] | None = None,
    ) -> RefusedDelivery:
        """Keep a refused body and its delivery, with the reason, outside the queue, and its headers after them."""
        delivery = RefusedDelivery(
            _delivery_id(received_at), self._digest.hexdigest(), received_at, self.size_bytes,
            refused.code, refused.where, refused.detail, named.reference, named.process_number, source=source,
            values=refused.said.values if refused.said.code == Sentence.at_byte.name else {},
        )  # fmt: skip
        self._become(quarantine.place(), quarantine.name_of(delivery), orjson.dumps(delivery))
        if headers:
            quarantine.keep_headers(delivery.delivery_id, headers)
        return delivery

    def discard(self) -> None:
        """Remove the temporary file. Does nothing after `accept` or `quarantine`."""
        if self._part:
            path, descriptor = self._part
            self._part = None
            os.close(descriptor)
            Path(path).unlink(missing_ok=True)

    def _become(self, place: Storage, name: str, record: bytes) -> None:
        """Store the body, then its record: a body without a record was never acknowledged."""
        self.keep_body(place, (name, record))
        place.sync()

    def keep_body(self, place: Storage, record: tuple[str, bytes] | None = None) -> None:
        """Store the body. It is durable after `sync` of the place, and acknowledged by what is written after it."""
        path, descriptor = self._opened()
        pushed(descriptor, self._pushed_bytes, self._written_bytes, 1)
        place.take(path, descriptor, body_name(self.receipt_id), record)
        os.close(descriptor)
        self._part = None


def deliveries() -> Iterator[Delivery]:
    """Yield the waiting deliveries, oldest first."""
    return readable(_delivery, _waiting(), _RECORDS)


def delivery_ids() -> list[str]:
    """Return the ids of the waiting deliveries, oldest first."""
    return [each.removesuffix(".json") for each in _waiting().names(_RECORDS)]


def these_deliveries(ids: Iterable[str]) -> list[Delivery]:
    """Return those of the deliveries that wait, oldest first."""
    return list(readable_of(_delivery, _waiting(), sorted(f"{each}.json" for each in ids)))


def has_body(receipt_id: str) -> bool:
    return is_queued(receipt_id) or _imported().size(body_name(receipt_id)) is not None


def is_queued(receipt_id: str) -> bool:
    """Return whether a body waits as that of a delivery, and not of an import alone."""
    return _waiting().size(body_name(receipt_id)) is not None


@contextmanager
def opened_body(receipt_id: str) -> Iterator[BinaryIO]:
    """Open a waiting body as a stream. Entering it raises FileNotFoundError if the body is not in the inbox."""
    with ExitStack() as stack:
        try:
            body = stack.enter_context(_waiting().opened(body_name(receipt_id)))
        except FileNotFoundError:
            body = stack.enter_context(_imported().opened(body_name(receipt_id)))
        yield body


def imported_names() -> list[str]:
    """Return the names of the records of what is imported and not archived yet, oldest first."""
    return _imported().names(_RECORDS)


def imported_receipt(name: str) -> str:
    """Return the receipt id of the record of an imported body."""
    return name.split(".")[-2]


def imported(names: Iterable[str] | None = None) -> Iterator[Delivery]:
    """Yield the deliveries of these records, or of all, that are imported and not archived yet, oldest first."""
    return readable_of(_delivery, _imported(), imported_names() if names is None else names)


def remove_imported(delivery: Delivery) -> None:
    """Remove an imported delivery and its body. A body that is queued too stays in the queue."""
    _imported().remove_all([_imported_name(delivery), body_name(delivery.receipt_id)])


def queue_imported(delivery: Delivery) -> None:
    """Let an imported body wait for a run of its own, as that of a delivery does."""
    intake = Intake()
    try:
        for chunk in _imported().chunks(body_name(delivery.receipt_id)):
            intake.digest(chunk)
            intake.write([chunk])
        intake.accept_again(delivery)
    except FileNotFoundError:
        log.error("the body of an imported archive is gone; import it again", receipt_id=delivery.receipt_id)
    finally:
        intake.discard()
    remove_imported(delivery)


def remove(delivery_ids: Iterable[str], *receipt_ids: str) -> None:
    """Remove deliveries, and the bodies of receipts."""
    _waiting().remove_all([*(f"{each}.json" for each in delivery_ids), *map(body_name, receipt_ids)])


def erase(reference: str, receipt_ids: Iterable[str], delivery_ids: Iterable[str]) -> list[datetime | None]:
    """Remove bodies and deliveries of an archive, with what a bucket has kept of them, and each other delivery of its
    process. Return for each until when a lock keeps it.
    """
    others = [each for each in chain(deliveries(), imported()) if each.reference == reference]
    bodies = {*receipt_ids, *(each.receipt_id for each in others)}
    return erase_these(bodies, {*delivery_ids, *(each.delivery_id for each in others)})


def erase_these(receipt_ids: Iterable[str], delivery_ids: Iterable[str]) -> list[datetime | None]:
    """Remove bodies, then deliveries, which lead to them, with what a bucket has kept of them. Returns as `erase`."""
    receipt_ids = set(receipt_ids)
    bodies = list(map(body_name, receipt_ids))
    records = [each for each in imported_names() if imported_receipt(each) in receipt_ids]
    kept = [_imported().erase(each) for each in (*bodies, *records)]
    return kept + [_waiting().erase(each) for each in (*bodies, *(f"{each}.json" for each in delivery_ids))]


def try_out() -> None:
    """Write a few bytes where bodies and records go, and remove them, to detect a fault of a disk, mount or bucket."""
    intake = Intake()
    try:
        intake.write([b"probe"])
    finally:
        intake.discard()
    _waiting().write(b"probe", ".probe")
    _waiting().remove(".probe")


def remove_leftovers() -> int:
    """Remove the temporary files of dead receivers, and return how many.

    Creates the folders too: if two threads created a folder later, the second could go on before it is durable.
    """
    events = storage_at(f"{settings().inbox_location}/events")
    folders = {_waiting().part_folder, _imported().part_folder, events.part_folder, *quarantine.part_folders()}
    with suppress(OSError):  # /readyz reports it
        for folder in folders:
            make_folder(folder)
    return sum(map(remove_parts, folders))


def _waiting() -> Storage:
    return storage_at(f"{settings().inbox_location}/waiting")


def _imported() -> Storage:
    return storage_at(f"{settings().inbox_location}/imported")


def _imported_name(delivery: Delivery) -> str:
    return f"{delivery.delivery_id}.{delivery.receipt_id}.json"


@lru_cache(_MOST_KNOWN_DELIVERIES)
def _delivery(place: Storage, name: str) -> Delivery:
    """Return a delivery, cached: a record never changes, and a delivery that waits for long is read repeatedly."""
    record = json.loads(place.read_bytes(name))
    return Delivery(**record | {"received_at": datetime.fromisoformat(record["received_at"])})


def _delivery_id(received_at: datetime) -> str:
    return f"{received_at:{ARRIVED_AT}}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Backlog:
    """The receipts that wait, and the arrival of the oldest delivery."""

    receipts: int
    oldest_at: datetime | None


def backlog() -> Backlog:
    """Return what waits in the inbox."""
    names = _waiting().names("*")
    oldest = min((name for name in names if name.endswith(".json") and name[0].isdigit()), default=None)
    return Backlog(sum(name.endswith(".body") for name in names), _arrival(oldest) if oldest else None)


def _arrival(name: str) -> datetime:
    """Return the time of arrival, with which the name of a delivery begins."""
    return datetime.strptime(name.partition("-")[0], ARRIVED_AT).replace(tzinfo=UTC)
