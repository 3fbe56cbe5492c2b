"""Takes saved payloads into the inbox, a batch at a time, by the same checks as the webhook, and archives them.

Progress is kept in the store, beside the results of the run, so that every worker can go on.
"""

import hmac
import json
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby

from pydantic import ValidationError

from adapters.files.saved import DAMAGE, Saved, SavedFile, payloads, saved_files
from adapters.files.spool import translated
from adapters.files.store import result_key, store
from adapters.inbox import quarantine
from adapters.inbox.inbox import Intake
from adapters.platform.cancellation import Stopped, checkpoint
from adapters.settings.digests import keyed_digest
from adapters.settings.settings import settings
from adapters.store import tombstones
from adapters.store.objects import history
from adapters.store.tombstones import known_digests
from adapters.tables.runs import imports
from adapters.tables.runs.imports import ImportAttempt, KnownReceipt
from domain.archive.found_process import MOST_BYTES, process_in
from domain.archive.reading import identity_of
from domain.body.scan import Scanner
from domain.runs import cause_of
from models.archive.archive import State
from models.errors import CellarError, Refused, Transient, Unreadable
from models.runs.imports import ImportOutcome, ImportPosition, ImportProblem, ImportProgress
from models.runs.receipt import DEFAULT_SOURCE, Cause, Delivery, Identity
from services.processing.completion import load, read_back, reconcile_findings
from services.processing.persisting import persist
from services.receipts import leave_inbox, stored_archive

_AT_ONCE = 128
_AT_ONCE_BYTES = 32 << 20
_CHUNK_BYTES = 1 << 20


def key_of_start(person: str, paths: Sequence[str], source: str | None) -> str:
    """Return the key of the run of an import that a person starts from a shell, who may read anywhere.

    The key holds for one run: Prefect makes no second run of a key.
    """
    named = f"{secrets.token_hex(8)}:{person}"
    return f"{_mark_of_start(named, paths, source)}:{named}"


def started_by(key: str | None, paths: Sequence[str], source: str | None) -> str | None:
    """Return the person who started the run of a key from a shell.

    Anybody else who may act in Prefect starts runs without one; the person is then None.

    Raises Refused if nobody did so, and a path is not below `CELLAR_IMPORTS_URL`.
    """
    mark, _, named = (key or "").partition(":")
    if hmac.compare_digest(mark.encode(), _mark_of_start(named, paths, source).encode()):
        return named.partition(":")[2]
    folder = settings().imports_location
    for each in paths:
        place, root = (each, folder) if "://" in each + folder else (os.path.realpath(each), os.path.realpath(folder))
        if place != root and not place.startswith(f"{root}/"):
            detail = f"expected a path below {folder}, as CELLAR_IMPORTS_URL says; `cellar import PATH` reads any path"
            raise Refused("FORBIDDEN", detail, where="paths", status=403)
    return None


def _mark_of_start(named: str, paths: Sequence[str], source: str | None) -> str:
    return keyed_digest("import", json.dumps([named, *paths, source]))


@dataclass(slots=True)
class Batch:
    """Payloads that were read. Their deliveries are in the inbox and registered; the import has to archive them.

    `names`: where each receipt was found. `after`: the progress once the batch is archived.
    """

    deliveries: list[Delivery]
    names: dict[str, str]
    after: ImportProgress


@dataclass(slots=True)
class Reader:
    """Reads the payloads below some locations in their order, from the position of an import on."""

    locations: Sequence[str]
    by: ImportAttempt
    progress: ImportProgress
    source: str = DEFAULT_SOURCE
    _payloads: Iterator["_Read | ImportProblem"] | None = None
    _file_end_bytes: int = 0
    _place: ImportPosition | None = None
    _done_bytes: int = 0

    def measure(self) -> None:
        """Check that every location can be read, and add up the bytes. Raises Refused if a location cannot be read."""
        self.progress.total_bytes = sum(file.size_bytes for file in saved_files(self.locations))

    def next_batch(self) -> Batch | None:
        """Read, check and take in the next payloads; None after the last."""
        read: list[_Read] = []
        try:
            problems = self._read_into(read)
            return self._taken_in(read, problems) if read or problems else None
        finally:
            for each in read:
                each.intake.discard()

    def _read_into(self, read: list["_Read"]) -> list[ImportProblem]:
        """Read the next payloads, and return the problems on the way."""
        if self._payloads is None:
            self._payloads = self._all()
        problems, size_bytes = list[ImportProblem](), 0
        for each in self._payloads:
            checkpoint()
            if isinstance(each, ImportProblem):
                problems.append(each)
            else:
                read.append(each)
                size_bytes += each.intake.size_bytes
            if len(read) + len(problems) >= _AT_ONCE or size_bytes >= _AT_ONCE_BYTES:
                break
        return problems

    def close(self) -> None:
        """Close the file that is being read."""
        if self._payloads is not None:
            self._payloads.close()  # type: ignore[attr-defined]  # a generator
            self._payloads = None

    def _taken_in(self, read: Sequence["_Read"], problems: Sequence[ImportProblem]) -> Batch:
        after = self.progress.model_copy(deep=True)
        after.position, after.done_bytes = self._place, self._done_bytes
        for problem in problems:
            after.add(problem)
        known = imports.known([each.intake.receipt_id for each in read], self.by.flow_run_id)
        deliveries, names = list[Delivery](), dict[str, str]()
        for each in read:
            checkpoint()
            receipt_id = each.intake.receipt_id
            taken = _take_in(each, known.get(receipt_id), names, datetime.now(UTC), self.source)
            if isinstance(taken, Delivery):
                deliveries.append(taken)
                names[receipt_id] = each.name
            elif isinstance(taken, ImportProblem):
                after.add(taken)
            else:
                after.count(taken)
        imports.begin(deliveries, self.by, datetime.now(UTC), known_digests(each.reference for each in deliveries))
        return Batch(deliveries, names, after)

    def _all(self) -> Iterator["_Read | ImportProblem"]:
        since = self.progress.position
        is_found = since is None or not any(each.name == since.file for each in saved_files(self.locations))
        for file in saved_files(self.locations):
            done = 0
            if since and not is_found:
                is_found = file.name == since.file
                done = since.payloads if is_found else -1
            if done >= 0:
                yield from self._of(file, done)
            self._file_end_bytes += file.size_bytes
            self._done_bytes = self._file_end_bytes

    def _of(self, file: SavedFile, done: int) -> Iterator["_Read | ImportProblem"]:
        """Yield the payloads of a file but the first `done`. Damage ends the file, and no other file."""
        number = 0
        try:
            for number, saved in enumerate(payloads(file), start=1):
                if number > done:
                    self._place = ImportPosition(file=file.name, payloads=number)
                    self._done_bytes = self._file_end_bytes + saved.read_bytes
                    yield _read(saved)
        except DAMAGE:
            if number >= done:
                yield _unread(file.name, "DAMAGED_FILE", "expected a whole tar, zip or gz file that is not encrypted")
        except (FileNotFoundError, Unreadable):
            yield _unread(file.name, "UNREADABLE", "expected a readable file; check its rights, and that it is there")


@dataclass(slots=True)
class _Read:
    """A payload that was read. A small payload is in memory; a larger payload is in a part of the inbox already."""

    name: str
    intake: Intake = field(default_factory=Intake)
    refused: Refused | None = None
    scanner: Scanner = field(default_factory=Scanner)
    held: list[bytes] = field(default_factory=list)

    def take(self, chunk: bytes) -> None:
        """Take the next chunk. Raises Transient if the disk does not take it."""
        self.intake.digest(chunk)
        self.held.append(chunk)
        if self.intake.size_bytes > _CHUNK_BYTES:
            self.write()

    def write(self) -> None:
        """Check and write what is held in memory."""
        for chunk in self.held:
            if self.refused is None:
                try:
                    self.scanner.feed(chunk)
                except Refused as refused:
                    self.refused = refused
        with translated():
            self.intake.write(self.held)
        self.held = []

    def identity(self) -> Identity:
        """Return by what people find the archive. Raises Refused if the body is no well-formed archive."""
        if self.refused:
            raise self.refused
        return identity_of(self.scanner.close().document)


def _read(saved: Saved) -> "_Read | ImportProblem":
    read, limit_bytes = _Read(saved.name), settings().max_body_bytes
    try:
        while chunk := saved.stream.read(_CHUNK_BYTES):
            checkpoint()
            read.take(chunk)
            if read.intake.size_bytes > limit_bytes:
                read.intake.discard()
                detail = f"expected at most {limit_bytes} bytes; raise CELLAR_MAX_BODY_BYTES for larger archives"
                return _unread(saved.name, "TOO_LARGE", detail)
    except BaseException:
        read.intake.discard()
        raise
    return read


def _take_in(
    read: _Read, known: KnownReceipt | None, taken: dict[str, str], now: datetime, source: str
) -> Delivery | ImportProblem | ImportOutcome:
    """Accept a payload into the inbox, or quarantine it, unless it is archived already."""
    before = known and known.delivery
    if read.intake.receipt_id in taken:
        return ImportOutcome.KNOWN
    if known and known.state is State.COMPLETED:
        return ImportOutcome.IMPORTED if before else ImportOutcome.KNOWN
    read.write()
    with translated():
        try:
            identity = read.identity()
            if gone := tombstones.of_reference(identity.reference):
                tombstones.count_returned(gone.digest, [now])
                return _unread(
                    "", "ERASED", f"its archive was erased, so it is left out; see the tombstone {gone.digest}"
                )
            if before:
                again = replace(before, process_number=identity.process_number, template_id=identity.template_id)
                read.intake.accept_again(again)
                return again
            headers = {"content-type": "application/json", "x-cellar-source": "import", "x-cellar-file": read.name}
            return read.intake.accept(identity, now, headers, source)
        except Refused as refused:
            return _quarantined(read, refused, now, source)


def _quarantined(read: _Read, refused: Refused, now: datetime, source: str) -> ImportProblem:
    receipt_id = read.intake.receipt_id
    if not quarantine.has_body(receipt_id):  # else a second import would change the time in the record
        read.intake.quarantine(refused, now, process_in(read.scanner.beginning(MOST_BYTES)), source)
    told = {"code": refused.code, "where": refused.where, "detail": refused.detail, "receipt_id": receipt_id}
    return ImportProblem(path=read.name, outcome=ImportOutcome.REFUSED, **told)


def _unread(name: str, code: str, detail: str) -> ImportProblem:
    return ImportProblem(path=name, outcome=ImportOutcome.REFUSED, code=code, where="", detail=detail, receipt_id=None)


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that could not be archived now. The task of the cause is that of `process-archive`."""

    delivery: Delivery
    cause: Cause
    is_transient: bool


def by_process(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    """Return deliveries with those of one process together and in order."""
    in_order = sorted(deliveries, key=lambda each: (each.reference, each.delivery_id))
    return [list(its) for _, its in groupby(in_order, lambda each: each.reference)]


def archive(its: Iterable[Delivery]) -> list[Delivery | Failure]:
    """Archive the deliveries of a process one after the other. A failure, in place of its delivery, stops no other."""
    done = list[Delivery | Failure]()
    for delivery in its:
        checkpoint()
        done.append(_failure(delivery) or delivery)
    return done


def leave(delivery: Delivery) -> None:
    """Write the history of a complete receipt into the store, and remove the receipt from the inbox. Idempotent."""
    history.keep(delivery.reference, delivery.receipt_id)
    leave_inbox(delivery.receipt_id)


def _failure(delivery: Delivery) -> Failure | None:
    """Archive a delivery up to its completion, and return why it failed, if it did."""
    reference, receipt_id, task = delivery.reference, delivery.receipt_id, "persist-files"
    try:
        persist(reference, receipt_id)
        task = "load-metadata"
        archived = stored_archive(reference, receipt_id)
        load(archived)
        task = "reconcile-payments"
        read_back(archived, reconcile_findings(archived).payload)
    except Stopped:
        raise
    except Exception as error:  # every failure has a cause; the other archives go on
        if not isinstance(error, CellarError):
            logging.getLogger(__name__).exception("an archive of an import has failed in %s", task)
        return Failure(delivery, cause_of(error, task), isinstance(error, Transient))
    return None


_NAME = "import.json"


def kept_progress(flow_run_id: str) -> ImportProgress:
    """Return the progress of an import; at the beginning, and where it is damaged, that of a new import.

    An import that begins again changes nothing: what it has archived is known.
    """
    text = store().found_bytes(_key(flow_run_id))
    try:
        return ImportProgress.model_validate_json(text) if text else ImportProgress()
    except ValidationError:
        return ImportProgress()


def keep_progress(flow_run_id: str, progress: ImportProgress) -> None:
    store().overwrite_bytes(progress.model_dump_json().encode(), _key(flow_run_id))


def _key(flow_run_id: str) -> str:
    return result_key(f"{flow_run_id}/{_NAME}")
