"""A timeline merges what happened to a process, oldest first, without people or addresses."""

from datetime import timedelta
from typing import Any

from sqlmodel import Session, SQLModel

from adapters.database.transactions import writing
from adapters.inbox import session_events as inbox
from adapters.settings.settings import Settings
from domain.words.causes import CAUSES
from models.access import CELLAR
from models.completeness.processes import MissingProcessRow, SessionEventType
from models.discrepancies import DiscrepancyCode, DiscrepancyEventRow, DiscrepancyRow
from models.erasures import HoldRow
from models.messages.notification import NotificationAttemptRow, NotificationRow
from models.people import ActionRow
from models.runs.batch import BatchRow
from models.runs.receipt import DeliveryRow, RefusedRow, RunRow, VersionRow
from models.said import verbatim
from services.completeness.session_events import take_in
from services.views.archive_view import archive
from services.views.timeline import MOST_ENTRIES, MOST_RECENT, activity, timeline_of
from tests.installations import archived
from tests.samples import sample_body, sample_document
from tests.session_events import NOON, PERSON, body, journaled

MISMATCH = f"{DiscrepancyCode.AMOUNT_MISMATCH.meaning.what} (AMOUNT_MISMATCH)"


def write(session: Session, *rows: SQLModel) -> None:
    for each in rows:
        session.add(each)


def happened(reference: str = "r") -> None:
    """Let something of each kind happen to a process, a minute after the other, written in another order."""
    at = [NOON + timedelta(minutes=number) for number in range(20)]
    journaled([body(SessionEventType.CREATED, reference), body("WHP_ELSE", reference)])
    take_in(inbox.batches())
    message: dict[str, Any] = {
        "message_id": "m",
        "reference": reference,
        "receipt_id": "x",
        "event": "archive.completed",
    }
    message |= {"endpoint": "https://token@example.com/secret", "endpoint_name": "crm", "state": "delivered"}
    skipped = message | {"message_id": "s", "state": "skipped"}
    skipped |= {"skipped_why": "filter: event", "values": {"skipped_why": verbatim("filter: event").as_json()}}
    run: dict[str, Any] = {"flow_run_id": "f", "reference": reference, "receipt_id": "x", "trigger": "webhook"}
    discrepancy: dict[str, Any] = {"discrepancy_id": "d", "reference": reference, "code": "AMOUNT_MISMATCH"}
    missing: dict[str, Any] = {"missing_id": "p", "source": "default", "reference": reference, "why": "submitted"}
    missing |= {"since": at[0], "deadline_at": at[19], "opened_at": at[1], "closed_at": at[3], "closed_why": "archived"}
    refused: dict[str, Any] = {
        "delivery_id": "0",
        "receipt_id": "x",
        "received_at": at[2],
        "size_bytes": 1,
        "code": "NOT_BASE64",
    }
    refused |= {"where": "", "detail": "", "reference": reference}
    with writing() as session:
        write(
            session,
            NotificationAttemptRow(message_id="m", attempt=2, attempted_at=at[10], status_code=200, by="ops"),
            NotificationAttemptRow(message_id="m", attempt=1, attempted_at=at[9], stage="connect"),
            NotificationRow(**message, planned_at=at[8]),
            NotificationRow(**skipped, planned_at=at[8]),
            RunRow(**run, attempt=1, state="Failed", cause_code="STORE_AWAY", started_at=at[5], ended_at=at[6]),
            DiscrepancyRow(**discrepancy, expected="1", found="2", state="explained"),
            DiscrepancyEventRow(discrepancy_id="d", number=1, state="open", at=at[7]),
            DiscrepancyEventRow(discrepancy_id="d", number=2, state="explained", at=at[11], by="dana", why="agreed"),
            MissingProcessRow(**missing),
            DeliveryRow(
                delivery_id="1", receipt_id="x", reference=reference, received_at=at[4], outcome="new", headers={}
            ),
            VersionRow(receipt_id="x", reference=reference, version=1, received_at=at[4], skeleton=b"{}"),
            RefusedRow(**refused),
        )


def test_each_kind_is_in_the_timeline_in_the_order_of_time(installation: Settings) -> None:
    happened()

    assert [(each.kind, each.what, each.by, each.id) for each in timeline_of("r", CELLAR)][2:] == [
        ("finding", "the process is missing: submitted, and not archived", None, "p"),
        ("delivery", "refused: The content of a file is damaged: it is not base64. (NOT_BASE64)", None, "0"),
        ("finding", "the process is no longer missing: Archived", None, "p"),
        ("delivery", "New", None, "1"),
        ("version", "version 1", None, "x"),
        ("run", "attempt 1 started by a delivery", None, "f"),
        ("run", f"attempt 1 ended: Failed. {CAUSES['STORE_AWAY'].what} (STORE_AWAY)", None, "f"),
        ("finding", f"Open: {MISMATCH}", None, "d"),
        ("message", "archive.completed to crm is skipped: filter: event", None, "s"),
        ("message", "archive.completed to crm, attempt 1: no answer (connecting)", None, "m"),
        ("message", "archive.completed to crm, attempt 2: HTTP 200", "ops", "m"),
        ("action", f"Explained: {MISMATCH}", "dana", "d"),
    ]
    assert {each.what for each in timeline_of("r", CELLAR)[:2]} == {
        "WHEF_SESSION_CREATED",
        "WHP_ELSE (an unknown type)",
    }


def test_newest_of_each_kind_of_all_archives_is_what_happens_now(
    installation: Settings,
) -> None:
    archived("now", sample_body("now"))
    happened()
    at = {"at": f"{NOON + timedelta(hours=1)}", "by": "ann", "what": "confirmed"}
    batch: dict[str, Any] = {"id": "b", "kind": "erase", "state": "running", "filter": {}, "planned": 1, "by": "dana"}
    with writing() as session:
        write(
            session,
            ActionRow(action_id="a", reference="r", kind="export", by="dana", at=NOON),
            HoldRow(
                hold_id="h", reference="r", why="x", by="lea", released_by="noa",
                at=NOON + timedelta(hours=2), released_at=NOON + timedelta(hours=3),
            ),
            BatchRow(**batch, created_at=NOON, plan={}, actions=[at]),
            *(
                DeliveryRow(
                    delivery_id=f"many {number}", receipt_id="x", reference="many", outcome="duplicate", headers={},
                    received_at=NOON - timedelta(days=number),
                )
                for number in range(1, MOST_RECENT + 1)
            ),
        )  # fmt: skip

    found = {kind: [(each.reference, each.what, each.by) for each in entries] for kind, entries in activity().items()}

    assert found.pop("arrived") == [
        ("now", "New", None), ("r", "New", None), *[("many", "Duplicate", None)] * (MOST_RECENT - 2)
    ]  # fmt: skip
    assert found == {
        "completed": [("now", "Completed", None)],
        "failed": [
            ("r", f"attempt 1 ended: Failed. {CAUSES['STORE_AWAY'].what} (STORE_AWAY)", None),
            ("r", "refused: The content of a file is damaged: it is not base64. (NOT_BASE64)", None),
        ],
        "acted": [
            ("r", "released a legal hold of the archive", "noa"),
            ("r", "put the archive on legal hold", "lea"),
            (None, "Erasure: Confirmed", "ann"),
            ("r", "exported the archive", "dana"),
        ],
    }


def test_timeline_shows_no_client_recipient_or_endpoint(sqlite_installation: Settings) -> None:
    happened()

    shown = repr(timeline_of("r", CELLAR))

    assert not [each for each in (PERSON, "192.0.2.77", "example.com", "secret") if each in shown]


def test_timeline_keeps_its_last_entries(sqlite_installation: Settings) -> None:
    journaled([body("WHEF_CLIENT_LOGGED_IN", note=number) for number in range(MOST_ENTRIES + 20)])
    take_in(inbox.batches())
    happened()

    found = timeline_of("r", CELLAR)

    assert len(found) == MOST_ENTRIES
    assert found[-1].what == f"Explained: {MISMATCH}"


def test_event_without_a_reference_belongs_to_the_archive_of_its_session(sqlite_installation: Settings) -> None:
    session = sample_document()["sessions"][0]
    archived("r", sample_body("r"))
    journaled([body(session={"id": session["id"]}), body(reference="of another process")])
    take_in(inbox.batches())

    view = archive("r", CELLAR)

    assert view
    assert [each.what for each in view.timeline if each.kind == "event"] == ["WHEF_SESSION_CREATED"]
    assert {"delivery", "version"} <= {each.kind for each in view.timeline}


def test_process_of_which_nothing_came_has_an_empty_timeline(sqlite_installation: Settings) -> None:
    assert timeline_of("nobody", CELLAR) == []
