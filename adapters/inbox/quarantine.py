"""The quarantine: refused bodies, each once, and a record of each refused delivery; how the inbox reads its records.

`quarantine/` holds the bodies as RECEIPT_ID.body, and the records that the database does not have yet as
DELIVERY_ID.json. Once a record has its row, it moves to `quarantine/listed/`. So a search for new records reads no old
record. A release or a dismissal writes the record again, as new: the row learns of it in the same way.

The headers that are kept of a delivery are listed/DELIVERY_ID.headers, and stay as long as its record.

Failures raise Transient.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar

import orjson
import structlog

from adapters.files.storage import Storage
from adapters.files.store import storage_at
from adapters.settings.settings import settings
from models.errors import Unreadable
from models.runs.receipt import RefusedDelivery

log = structlog.get_logger()
R = TypeVar("R")

ARRIVED_AT = "%Y%m%dT%H%M%S.%fZ"
"""The time of arrival, with which the id of a delivery begins."""


def body_name(receipt_id: str) -> str:
    return f"{receipt_id}.body"


def readable(read: Callable[[Storage, str], R], place: Storage, pattern: str) -> Iterator[R]:
    """Yield the readable records whose name matches, in the order of their names."""
    yield from readable_of(read, place, place.names(pattern))


def readable_of(read: Callable[[Storage, str], R], place: Storage, names: Iterable[str]) -> Iterator[R]:
    """Yield those of the records that are there and readable."""
    for name in names:
        try:
            record = read(place, name)
        except FileNotFoundError:
            continue  # another process has just removed it
        except (ValueError, TypeError, KeyError, Unreadable) as error:
            # A damaged record must not delay the other records. Its body stays, and a person has to examine it.
            log.error(
                "a record is unreadable; send its archive again and remove it", record=name, why=type(error).__name__
            )
            continue
        yield record


_MOMENTS = ("received_at", "released_at", "dismissed_at", "withdrawn_at")
_NEVER = datetime.min.replace(tzinfo=UTC)
_RECORDS = "[0-9]*.json"


def refused() -> list[RefusedDelivery]:
    """Return all refused deliveries, newest first, with the deliveries that a person released or dismissed."""
    found: dict[str, RefusedDelivery] = {}
    for each in chain(unlisted(), readable(_read, _listed(), _RECORDS)):  # a record moves in this direction
        if each.delivery_id not in found or _decided(each) > _decided(found[each.delivery_id]):
            found[each.delivery_id] = each
    return sorted(found.values(), key=lambda each: (each.received_at, each.delivery_id), reverse=True)


def unlisted() -> Iterator[RefusedDelivery]:
    """Yield the refused deliveries whose newest record the database does not have, oldest first."""
    return readable(_read, place(), _RECORDS)


def is_unlisted(delivery: RefusedDelivery) -> bool:
    return place().size(name_of(delivery)) is not None


def set_listed(delivery: RefusedDelivery) -> None:
    """Move the record of a delivery out of the search, after its row is in the database. `sync_listed` must follow."""
    _listed().write(orjson.dumps(delivery), name_of(delivery))


def forget_unlisted(delivery: RefusedDelivery) -> None:
    """Remove the record of a listed delivery from the search, unless a person has written it again since."""
    name = name_of(delivery)
    data = place().found_bytes(name)
    if data is not None and _parsed(data) == delivery:
        place().remove_same(data, name)


def sync_listed() -> None:
    _listed().sync()


def newest(delivery: RefusedDelivery) -> RefusedDelivery:
    """Return a delivery as its newest record says, of which the database may not have learned yet."""
    data = place().found_bytes(name_of(delivery))
    return delivery if data is None else max(delivery, _parsed(data), key=_decided)


def set_released(delivery: RefusedDelivery, now: datetime) -> None:
    """Record the release of a refused delivery, durably. The search finds the record again."""
    _write_again(replace(delivery, released_at=now))


def set_dismissed(delivery: RefusedDelivery, by: str, why: str, now: datetime) -> RefusedDelivery:
    """Record durably that a person dismissed a refused delivery, and return it so. The search finds it again."""
    dismissed = replace(delivery, dismissed_at=now, dismissed_by=by, dismissed_why=why)
    _write_again(dismissed)
    return dismissed


def set_withdrawn(delivery: RefusedDelivery, now: datetime) -> RefusedDelivery:
    """Record durably that the dismissal of a delivery counts no longer, and return it so. The search finds it again."""
    withdrawn = replace(delivery, withdrawn_at=now)
    _write_again(withdrawn)
    return withdrawn


def keep_headers(delivery_id: str, headers: dict[str, str]) -> None:
    """Keep headers of a refused delivery beside its listed record. Durable once that is."""
    _listed().write(orjson.dumps(headers), f"{delivery_id}.headers")


def headers_of(delivery_id: str) -> dict[str, str]:
    """Return the headers that were kept of a refused delivery."""
    headers: dict[str, str] = json.loads(_listed().found_bytes(f"{delivery_id}.headers") or b"{}")
    return headers


def location(receipt_id: str) -> str:
    """Return the path or the URL of a refused body."""
    return place().location(body_name(receipt_id))


def has_body(receipt_id: str) -> bool:
    return place().size(body_name(receipt_id)) is not None


def opened_body(receipt_id: str) -> AbstractContextManager[BinaryIO]:
    """Open a refused body as a stream. Entering it raises FileNotFoundError if the body is not in quarantine."""
    return place().opened(body_name(receipt_id))


def remove_body(receipt_id: str) -> None:
    place().remove(body_name(receipt_id))


def erase(deliveries: Iterable[tuple[str, str]]) -> list[datetime | None]:
    """Remove refused deliveries by their ids, each with the body of its receipt, and what a bucket has kept of them.
    Return for each until when a lock keeps it.
    """
    found = list[datetime | None]()
    for delivery_id, receipt_id in deliveries:
        found += [place().erase(body_name(receipt_id)), _listed().erase(f"{delivery_id}.headers")]
        found += [storage.erase(f"{delivery_id}.json") for storage in (place(), _listed())]
    return found


def place() -> Storage:
    return storage_at(f"{settings().inbox_location}/quarantine")


def part_folders() -> set[Path]:
    return {place().part_folder, _listed().part_folder}


def name_of(delivery: RefusedDelivery) -> str:
    return f"{delivery.delivery_id}.json"


def _listed() -> Storage:
    return storage_at(f"{settings().inbox_location}/quarantine/listed")


def _write_again(delivery: RefusedDelivery) -> None:
    place().write(orjson.dumps(delivery), name_of(delivery))
    place().sync()


def _decided(delivery: RefusedDelivery) -> tuple[bool, datetime]:
    return delivery.released_at is not None, max(delivery.dismissed_at or _NEVER, delivery.withdrawn_at or _NEVER)


def _read(storage: Storage, name: str) -> RefusedDelivery:
    return _parsed(storage.read_bytes(name))


def _parsed(data: bytes) -> RefusedDelivery:
    record = json.loads(data)
    return RefusedDelivery(**record | {name: datetime.fromisoformat(record[name]) for name in _MOMENTS if record[name]})
