"""The inbox: raw payloads on stable storage, from the acknowledgement until their archive is complete.

`waiting/` keeps a body once, as RECEIPT_ID.body, and a record per sending, as SENDING_ID.json. `quarantine/` keeps the
bodies that were refused, each with the reason. The inbox is the queue of the system: nothing else remembers what was
acknowledged and not yet archived.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import structlog

from adapters.durable import make_folder, sync_folder, write_file
from models.errors import Refused
from models.receipt import Sending

log = structlog.get_logger()


class Intake:
    """A body on its way in: hashed and written as it comes, under a temporary name. Not for concurrent use."""

    def __init__(self, inbox: Path) -> None:
        make_folder(inbox / "waiting")
        self._inbox = inbox
        self._part = inbox / "waiting" / f".{secrets.token_hex(16)}.part"
        self._descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.size_bytes += len(data)

    def accept(self, reference: str, received_at: datetime, headers: dict[str, str]) -> Sending:
        """Put body and sending on stable storage and return the sending. Only then may it be acknowledged."""
        receipt_id = self._finish()
        sending = Sending(_sending_id(received_at), receipt_id, reference, received_at, self.size_bytes, headers)
        waiting = self._inbox / "waiting"
        self._part.replace(body_path(self._inbox, receipt_id))
        write_file(waiting / f"{sending.sending_id}.json", _to_json(sending))
        sync_folder(waiting)
        return sending

    def quarantine(self, refused: Refused, received_at: datetime) -> "Quarantined":
        """Keep a refused body with the reason, out of the way of the queue."""
        receipt_id = self._finish()
        entry = Quarantined(receipt_id, received_at, self.size_bytes, refused.code, refused.where, refused.detail)
        folder = self._inbox / "quarantine"
        make_folder(folder)
        self._part.replace(folder / f"{receipt_id}.body")
        write_file(folder / f"{receipt_id}.json", _to_json(entry))
        sync_folder(folder)
        return entry

    def discard(self) -> None:
        """Leave nothing behind. Does nothing after `accept` or `quarantine`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._part.unlink(missing_ok=True)

    def _finish(self) -> str:
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A refused body. `where` and `detail` say why, and repeat nothing of what was sent."""

    receipt_id: str
    received_at: datetime
    size_bytes: int
    code: str
    where: str
    detail: str


def body_path(inbox: Path, receipt_id: str) -> Path:
    return inbox / "waiting" / f"{receipt_id}.body"


def sendings(inbox: Path) -> Iterator[Sending]:
    """The sendings that wait, oldest first."""
    for path in sorted((inbox / "waiting").glob("[0-9]*.json")):
        try:
            record = json.loads(path.read_bytes())
            sending = Sending(**record | {"received_at": datetime.fromisoformat(record["received_at"])})
        except FileNotFoundError:
            continue  # another process has just taken it out
        except (ValueError, TypeError, KeyError) as error:
            # One record that rotted must not hold up all others; its body stays, and a person has to look.
            log.error("a sending's record is unreadable", record=path.name, why=type(error).__name__)
            continue
        yield sending


def remove_sending(inbox: Path, sending_id: str) -> None:
    (inbox / "waiting" / f"{sending_id}.json").unlink(missing_ok=True)


def remove_body(inbox: Path, receipt_id: str) -> None:
    body_path(inbox, receipt_id).unlink(missing_ok=True)


def quarantined(inbox: Path) -> list[Quarantined]:
    """What was refused, newest first."""
    entries = [_quarantined(path) for path in (inbox / "quarantine").glob("*.json")]
    return sorted(entries, key=lambda entry: entry.received_at, reverse=True)


def quarantined_body(inbox: Path, receipt_id: str) -> Path:
    return inbox / "quarantine" / f"{receipt_id}.body"


def remove_quarantined(inbox: Path, receipt_id: str) -> None:
    for suffix in (".json", ".body"):
        (inbox / "quarantine" / f"{receipt_id}{suffix}").unlink(missing_ok=True)


def remove_leftovers(inbox: Path, older_than: datetime) -> int:
    """Remove the parts of bodies that a dead receiver left, and return how many.

    A living receiver may share the inbox: the parts that it writes are younger than its time-out for silent senders.
    """
    removed = 0
    for part in (inbox / "waiting").glob(".*.part"):
        with suppress(FileNotFoundError):  # a living receiver has just taken it in
            if part.stat().st_mtime < older_than.timestamp():
                part.unlink()
                removed += 1
    return removed


def _quarantined(path: Path) -> Quarantined:
    record = json.loads(path.read_bytes())
    return Quarantined(**record | {"received_at": datetime.fromisoformat(record["received_at"])})


def _sending_id(received_at: datetime) -> str:
    return f"{received_at:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"


def _to_json(record: Sending | Quarantined) -> bytes:
    return json.dumps(asdict(record), default=datetime.isoformat, ensure_ascii=False).encode()
