"""An installation with archives of many sorts: versions, deliveries, verdicts, explanations, runs, a report."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from sqlmodel import SQLModel

from adapters.database.transactions import insert_rows, writing
from adapters.inbox import session_events
from adapters.settings.settings import settings
from adapters.store.objects import history
from models.messages.notification import NotificationAttemptRow, NotificationRow
from models.people import ActionKind
from models.runs.receipt import RunRow
from models.views.archives.payments import Explanation
from services.completeness.session_events import take_in
from services.custody.judging_again import judge_objects
from services.custody.objects import stored_objects
from services.payments import discrepancies, recorded
from services.people import actions
from tests.installations import archived
from tests.pdfs import authority, edited, filled, form, signed
from tests.samples import PDF, PNG, sample_body
from tests.session_events import body as session_event
from tests.session_events import journaled
from tests.settlements import imported, line, report

BEGAN = datetime(2026, 1, 5, 8, tzinfo=UTC)
_ENDPOINT = "https://books.example.com/hook"


def document(number: int) -> bytes:
    """Return the signed document of an archive: sound, filled again, edited, damaged and unsigned ones in turn."""
    made = [PDF, filled(signed(form())), edited(signed(form())), PDF.replace(b"I owe you", b"U owe me "), form()]
    return made[number % len(made)]


def body(number: int, version: int, **members: Any) -> bytes:
    """Return the body of an archive's version. Every third archive has a payment that contradicts its total."""
    reference = reference_of(number)
    made = json.loads(sample_body(reference))
    made["event"]["timestamp"] = (BEGAN + timedelta(days=version, minutes=number)).isoformat()
    made["data"][0]["value"] = f"Floor {number} of house {version}"
    made["data"][1]["value"] = f"Remark {number}"
    made["attachments"][0]["content"] = b64encode(PNG + b"%d" % number).decode()
    made["signed_document"]["content"] = b64encode(document(number)).decode()
    payment = made["payments"][0] | {"type": "charge"}
    payment["amount"] = 2100 + 100 * (number % 3 == 1)
    made["payments"] = [payment]
    return json.dumps(made | members).encode()


def reference_of(number: int) -> str:
    return f"process-{number:02}"


def fill_first_week(archives: int) -> None:
    """Archive the first versions, explain some discrepancies, and judge all signed documents again by trust roots."""
    for number in range(archives * 4 // 5):
        _arrived(number, 1)
        if number % 5 == 0:  # the same body once more
            _arrived(number, 1, hours=30)
        if number % 6 == 1:
            explain(reference_of(number), "A tip was added by hand.")
    happened(1)
    with _trust_root():
        judge_objects(stored_objects(), lambda _, __: None)


def fill_second_week(archives: int) -> None:
    """Archive further versions, deliveries and processes; explain more discrepancies; import a report."""
    for number in range(archives):
        if number >= archives * 4 // 5:
            _arrived(number, 1)
        if number % 2 == 0:
            _arrived(number, 2)
        if number % 4 == 0:
            _arrived(number, 3)
        if number % 3 == 0:  # the last version in another spelling, which says nothing new
            last = 3 if number % 4 == 0 else 2 if number % 2 == 0 else 1
            again = json.dumps(json.loads(body(number, last)), indent=1).encode()
            _arrived(number, last, hours=50, sent=again)
        if number % 6 == 4:
            explain(reference_of(number), "The customer paid the rest in cash.")
    happened(2)
    guids = [json.loads(body(number, 1))["payments"][0]["provider_transaction_result"]["cguid"] for number in (0, 3)]
    imported(report(*map(line, guids)), now=datetime.now(UTC))


def happened(week: int) -> None:
    """Take in session events of the processes, in two files, and let a person export some archives."""
    for number in (1, 2):
        journaled([session_event(reference=reference_of(each), number=week) for each in (2 * number, 2 * number + 1)])
        take_in(session_events.batches())
    actions.record(map(reference_of, (week, week + 1)), ActionKind.EXPORT, "dana", datetime.now(UTC))


def added(reference: str) -> None:
    """Archive a body that was never sent."""
    archived(reference, sample_body(reference), BEGAN)


def explain(reference: str, why: str) -> None:
    for discrepancy_id in list(recorded.not_closed_by_id(reference))[:1]:
        discrepancies.explain(discrepancy_id, Explanation(by="Dana", why=why), BEGAN + timedelta(days=5))


def _arrived(number: int, version: int, hours: int = 0, sent: bytes | None = None) -> None:
    """Archive a body, with the history that runs and messages of a real installation leave."""
    reference, at = reference_of(number), BEGAN + timedelta(days=version, hours=hours, minutes=number)
    receipt_id = archived(reference, sent or body(number, version), at)
    if not hours:
        _record(reference, receipt_id, at, has_failed=number % 4 == 1)
        history.keep(reference, receipt_id)


def _record(reference: str, receipt_id: str, at: datetime, *, has_failed: bool) -> None:
    about: dict[str, Any] = {"reference": reference, "receipt_id": receipt_id}
    run = about | {"flow_run_id": _id("run", receipt_id), "trigger": "webhook"}
    message_id = _id("message", receipt_id)
    message = about | {"message_id": message_id, "endpoint": _ENDPOINT, "planned_at": at}
    message |= {"event": "archive.completed", "state": "delivered"}
    states = [("Failed", 503), ("Completed", 200)] if has_failed else [("Completed", 200)]
    runs, attempts = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, (state, status_code) in enumerate(states, 1):
        began = at + timedelta(seconds=number)
        times = {"started_at": began, "ended_at": began + timedelta(seconds=1)}
        runs.append(_row(RunRow, run | times, attempt=number, state=state))
        sent = {"message_id": message_id, "trigger": "automatic", "attempted_at": began + timedelta(seconds=2)}
        attempts.append(_row(NotificationAttemptRow, sent, attempt=number, status_code=status_code))
    with writing() as session:
        insert_rows(session, RunRow, runs)
        insert_rows(session, NotificationRow, [message])
        insert_rows(session, NotificationAttemptRow, attempts)


def _row(table: type[SQLModel], members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**dict.fromkeys(table.model_fields), **members, **more}


@contextmanager
def _trust_root() -> Iterator[None]:
    path = settings().data_dir / "root.pem"
    path.write_bytes(authority().pem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLAR_TRUST_ROOTS", str(path))
        settings.cache_clear()
        yield
    settings.cache_clear()


def _id(kind: str, receipt_id: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{kind} {receipt_id}"))
