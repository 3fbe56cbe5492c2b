"""Puts receipts and archives into the database of a test, as the receiver and the flow do."""

import hashlib
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.sql.dml import UpdateBase
from sqlmodel import SQLModel
from sqlmodel.sql.expression import SelectOfScalar

from adapters.database.transactions import reading, writing
from adapters.store import seals, tombstones
from adapters.store.sources import terms_of
from adapters.tables.archives import archives
from adapters.tables.messages import attempts, notifications
from adapters.tables.messages.attempts import Made
from adapters.tables.messages.queues import Taken
from adapters.tables.runs import receipts
from domain.archive.rows import rows_of
from domain.archive.versions import age_of
from domain.payments.reconciliation import reconcile
from models.access import CELLAR
from models.archive.archive import Archive
from models.discrepancies import PAYLOAD_CODES
from models.erasures import TombstoneRow
from models.messages.notification import EndpointRow
from models.runs.receipt import DEFAULT_SOURCE, Delivery, RunRow, RunState, Trigger, VersionRow
from models.said import verbatim
from services.payments.discrepancies import reconcile_version
from services.views import archive_view
from tests.domain.payloads import TERMS, fingerprint, read
from tests.samples import sample_document

Found = TypeVar("Found")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def all_of(statement: SelectOfScalar[Found]) -> list[Found]:
    with reading() as session:
        return list(session.exec(statement))


def change(statement: UpdateBase) -> None:
    with writing() as session:
        session.execute(statement)


def put(*rows: SQLModel) -> None:
    with writing() as session:
        session.add_all(rows)


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def delivery(reference: str = "r", body: str = "body", *, minute: float = 0, number: int = 0) -> Delivery:
    """Return a delivery `minute` minutes after noon. `number` distinguishes deliveries of the same body."""
    at = NOON + timedelta(minutes=minute)
    return Delivery(
        f"{at:%Y%m%dT%H%M%S.%fZ}-{digest(reference + body)[:6]}{number:02}", digest(body), reference, at, 10, {}
    )


def document(reference: str = "r", **session: Any) -> dict[str, Any]:
    """Return the sample for a process, with members of its session replaced."""
    made = sample_document() | {"reference": reference}
    made["sessions"][0] |= {"reference": reference, "process_id": reference} | session
    return made


def registered(reference: str = "r", body: str = "body", *, minute: float = 0, source: str = DEFAULT_SOURCE) -> str:
    """Register a delivery and return the id of its receipt."""
    made = replace(delivery(reference, body, minute=minute), source=source)
    receipts.register_all([made], tombstones.known_digest(reference))
    return made.receipt_id


def buried(reference: str) -> str:
    """Insert the tombstone of a process, whose rows stay, and return its digest."""
    seals.fingerprint("")  # makes the key, as workers do
    found = tombstones.digest_of(reference)
    whom: dict[str, Any] = {"batch_id": "b", "ground": "the term is over", "erased_by": "Dana", "confirmed_by": "Noa"}
    with writing() as session:
        tombstones.insert(session, reference, TombstoneRow(digest=found, erased_at=NOON, **whom))
    return found


def run_row(flow_run_id: str, receipt_id: str, **known: Any) -> RunRow:
    """Return the first attempt of a run of the process `r`, begun at noon and not ended, but for what is `known`."""
    first: dict[str, Any] = {"attempt": 1, "reference": "r", "trigger": Trigger.WEBHOOK, "state": RunState.RUNNING}
    return RunRow(flow_run_id=flow_run_id, receipt_id=receipt_id, **first | {"started_at": NOON} | known)


def loaded(archive: Archive, receipt_id: str) -> int:
    """Load an archive with all its rows, as the flow's tasks do, and return its version."""
    number, receipt = _number(archive.reference, receipt_id), receipts.get(receipt_id)
    owner = archives.get(archive.reference).source
    age = age_of(archive.event_at, receipt.received_at, receipt_id, is_set_aside=receipt.source != owner)
    row = VersionRow(reference=archive.reference, version=number, skeleton=receipt_id.encode(), **asdict(age))
    described = {"template_id": archive.template_id, "process_number": archive.process_number}
    archives.load(row, described, rows_of(archive, TERMS, fingerprint), owner, terms_of(owner))
    found = reconcile(archive, TERMS)
    reconcile_version(archive.reference, receipt_id, PAYLOAD_CODES, found, NOON)
    return number


def _number(reference: str, receipt_id: str) -> int:
    """Return the version number that the store would assign."""
    found = archive_view.archive(reference, CELLAR)
    numbers = {each.receipt_id: each.version for each in found.versions} if found else {}
    return numbers.get(receipt_id, len(numbers) + 1)


def archived(
    reference: str = "r",
    body: str = "",
    *,
    minute: float = 0,
    payload: dict[str, Any] | None = None,
    source: str = DEFAULT_SOURCE,
    **session: Any,
) -> str:
    """Register and load an archive of the sample, and return the id of its receipt."""
    receipt_id = registered(reference, body or reference, minute=minute, source=source)
    loaded(read(payload or document(reference, **session)), receipt_id)
    return receipt_id


def attempted(message_id: str, status_code: int | None, at: datetime = NOON, error: str | None = None) -> None:
    """Record an attempt at a message, which ends at once."""
    message = notifications.get(message_id)
    endpoint = EndpointRow(name=message.endpoint_name, url=message.endpoint, created_at=at)
    made = Made(at, at, status_code, error=verbatim(error) if error else None)
    attempts.record_all([(Taken(message, endpoint, None, at), made)])
