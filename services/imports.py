"""Takes saved payloads into the inbox by the checks of the webhook, and archives them without a run for each.

What was taken in waits apart from the deliveries, so no sweep starts a run for it, and nobody is notified. A delivery
of the same body goes before: its own run archives the body, and notifies.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from adapters.files.saved import DAMAGE, Saved, SavedFile, payloads, saved_files
from adapters.files.spool import translated
from adapters.inbox import inbox, quarantine
from adapters.inbox.inbox import Intake
from adapters.platform.cancellation import Stopped, checkpoint
from adapters.settings.settings import settings
from adapters.store import tombstones
from adapters.store.objects import history
from adapters.tables.runs import receipts
from domain.archive.found_process import MOST_BYTES, process_in
from domain.archive.reading import identity_of
from domain.body.scan import Scanner
from models.archive.archive import State
from models.errors import CellarError, Code, Refused, Transient, Unreadable
from models.runs.receipt import Delivery
from services.custody.remembering import check_again
from services.processing.completion import load, read_back, reconcile_findings
from services.processing.persisting import persist
from services.receipts import stored_archive

_CHUNK_BYTES = 1 << 20


class Outcome(StrEnum):
    """What became of a payload. `known`: it was received before. A payload that cannot be read is refused too."""

    TAKEN_IN = "taken in"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Read:
    """A payload that was read, or a damaged file. Its name and the reason repeat nothing else of the payload.

    `receipt_id`: of a refused payload that is in quarantine. `done_bytes`: how many bytes of all files are read.
    """

    path: str
    outcome: Outcome
    fault: Refused | None = None
    receipt_id: str | None = None
    done_bytes: int = 0


def take_in(locations: Sequence[str], source: str) -> Iterator[Read]:
    """Take in the payloads at or below locations, and yield what became of each. Each is durable when it is yielded.

    It may be repeated: what is taken in already is known.

    Raises:
        Refused: a location cannot be read.
        Transient: inbox, database or a location does not answer.
    """
    known, done_bytes = {inbox.imported_receipt(each) for each in inbox.imported_names()}, 0
    for file in saved_files(locations):
        for read in _of_file(file, known, source):
            yield Read(read.path, read.outcome, read.fault, read.receipt_id, done_bytes + read.done_bytes)
        done_bytes += file.size_bytes


def _of_file(file: SavedFile, known: set[str], source: str) -> Iterator[Read]:
    """Yield the payloads of a file. Damage ends the file, and no other file."""
    try:
        for saved in payloads(file):
            yield _taken_in(saved, known, source)
    except DAMAGE:
        yield _unread(file.name, "DAMAGED_FILE", "expected a whole tar, zip or gz file that is not encrypted")
    except (FileNotFoundError, Unreadable):
        yield _unread(file.name, "UNREADABLE", "expected a readable file; check its rights, and that it is there")


def _taken_in(saved: Saved, known: set[str], source: str) -> Read:
    intake, scanner, limit_bytes = Intake(), Scanner(), settings().max_body_bytes
    fault: Refused | None = None
    try:
        while chunk := saved.stream.read(_CHUNK_BYTES):
            if intake.size_bytes + len(chunk) > limit_bytes:
                detail = f"expected at most {limit_bytes} bytes; raise CELLAR_MAX_BODY_BYTES for larger archives"
                return _unread(saved.name, "TOO_LARGE", detail, saved.read_bytes)
            intake.digest(chunk)
            with translated():
                intake.write([chunk])
            fault = fault or _fault_in(scanner, chunk)
        receipt_id = intake.receipt_id
        if receipt_id in known or _is_received(receipt_id):
            return Read(saved.name, Outcome.KNOWN, done_bytes=saved.read_bytes)
        with translated():
            if not (fault := fault or _fault_of(intake, scanner, saved.name, source)):
                known.add(receipt_id)
                return Read(saved.name, Outcome.TAKEN_IN, done_bytes=saved.read_bytes)
            if fault.code != "ERASED" and not quarantine.has_body(receipt_id):  # a second import adds no second record
                intake.quarantine(fault, datetime.now(UTC), process_in(scanner.beginning(MOST_BYTES)), source)
        name, kept_as = ("", None) if fault.code == "ERASED" else (saved.name, receipt_id)
        return Read(name, Outcome.REFUSED, fault, kept_as, saved.read_bytes)
    finally:
        intake.discard()


def _fault_in(scanner: Scanner, chunk: bytes) -> Refused | None:
    try:
        scanner.feed(chunk)
    except Refused as refused:
        return refused
    return None


def _is_received(receipt_id: str) -> bool:
    """Return whether a body is archived, or waits for its run."""
    receipt = receipts.find(receipt_id)
    return bool(receipt and receipt.state == State.COMPLETED) or inbox.is_queued(receipt_id)


def _fault_of(intake: Intake, scanner: Scanner, name: str, source: str) -> Refused | None:
    """Accept a body that was read, or return why it is refused."""
    now = datetime.now(UTC)
    try:
        identity = identity_of(scanner.close().document)
    except Refused as refused:
        return refused
    if gone := tombstones.of_reference(identity.reference):
        tombstones.count_returned(gone.digest, [now])
        return Refused("ERASED", f"its archive was erased, so it is left out; see the tombstone {gone.digest}")
    headers = {"content-type": "application/json", "x-cellar-source": "import", "x-cellar-file": name}
    intake.accept(identity, now, headers, source, is_imported=True)
    return None


def _unread(name: str, code: Code, detail: str, done_bytes: int = 0) -> Read:
    return Read(name, Outcome.REFUSED, Refused(code, detail), done_bytes=done_bytes)


@dataclass(slots=True)
class Drained:
    """What became of imported bodies: how many are archived, how many get runs of their own, and why others stay."""

    archived: int = 0
    queued: int = 0
    away: Transient | None = None

    def add(self, other: "Drained") -> None:
        self.archived, self.queued = self.archived + other.archived, self.queued + other.queued
        self.away = other.away or self.away


def archive(its: Iterable[Delivery]) -> Drained:
    """Archive the imported bodies of a process, whose lease the caller holds, and notify nobody.

    Each step may be repeated. What fails for good is queued for a run of its own, which says why. What fails for now
    stays imported.
    """
    drained = Drained()
    for delivery in its:
        checkpoint()
        try:
            try:
                drained.archived += _archived(delivery)
            except (Stopped, Transient):
                raise
            except Exception as error:  # the run of its own says why; the other archives go on
                if not isinstance(error, CellarError):
                    logging.getLogger(__name__).exception("an imported archive has failed")
                with translated():
                    inbox.queue_imported(delivery)
                drained.queued += 1
        except Transient as away:
            drained.away = away
    return drained


def _archived(delivery: Delivery) -> bool:
    """Archive an imported body, unless that is done, or is left to the run of a delivery."""
    reference, receipt_id, now = delivery.reference, delivery.receipt_id, datetime.now(UTC)
    if _is_received(receipt_id):
        inbox.remove_imported(delivery)
        return False
    digest = tombstones.known_digest(reference)
    try:
        receipts.register_all([delivery], digest)
    except Refused:
        if digest is None:
            raise
        tombstones.count_returned(digest, [delivery.received_at])
        inbox.erase_these([receipt_id], [delivery.delivery_id])
        return False
    persist(reference, receipt_id)
    archived = stored_archive(reference, receipt_id)
    load(archived)
    read_back(archived, reconcile_findings(archived).payload)
    if inbox.is_queued(receipt_id):  # delivered meanwhile: its own run completes it, and notifies
        inbox.remove_imported(delivery)
        return False
    receipts.set_state(receipt_id, State.COMPLETED, now)
    history.keep(reference, receipt_id, is_archived=True)
    check_again(reference)
    inbox.remove_imported(delivery)
    return True
