"""An archive that has left something in every table and folder, beside archives that share much with it."""

import asyncio
import json
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import select as plain_select
from sqlmodel import SQLModel

import models.every_table  # noqa: F401
from adapters.database.noted import note_rows
from adapters.database.transactions import insert_new, reading, writing
from adapters.files.store import storage_at, store
from adapters.inbox import session_events
from adapters.inbox.inbox import Intake
from adapters.observation.log import reference_digest
from adapters.peers import prefect_erasure
from adapters.search.entries import entry_id
from adapters.settings.environment import prefect_file
from adapters.settings.settings import settings
from adapters.store import happened, ocfl
from adapters.tables.people import saved_views
from domain.archive.found_process import FoundProcess
from domain.search import named_facet
from models.archive.archive import WarningRow
from models.completeness.processes import MissingProcessRow
from models.erasures import HoldRow
from models.errors import Refused
from models.messages.notification import EndpointRow, EventRow, NotificationAttemptRow, NotificationRow
from models.payments import PaymentKeyRow
from models.people import ActionKind, LetterRow, NoticeKind, NoticeRow, SavedViewRow
from models.runs.batch import BatchKind
from models.runs.imports import ImportOutcome, ImportProblem, ImportProgress
from models.runs.receipt import Leased, LeaseRow, TaskResultRow
from models.search import DerivedRow, FacetValueRow, Kind, SearchFacetRow
from models.settlements.settlement import SettlementCandidateRow
from models.store.condition import ConditionRow, StoredObjectRow
from models.views.archives.archives import ArchiveFilter
from services import derived
from services.batches import batches
from services.completeness.session_events import take_in
from services.erasure.spellings import spellings
from services.imports import keep_progress
from services.people import actions
from services.triggering.refused import list_all_refused
from tests.installations import archived
from tests.records import NOON, put, run_row
from tests.samples import sample_body
from tests.session_events import body as session_event
from tests.session_events import journaled, large_body
from tests.settlements import imported, line, report

REFERENCE, OTHER = "דוח/forget me 7", "stays-8"
"""The reference has a slash, a space and Hebrew: each place spells it in another way."""
VALUES = ("Planted-314159", "+972-50-314159", "314159265")
REFUSED = f'{{"reference": "{REFERENCE}", "name": "{VALUES[0]}"'.encode()
RUN = "01a2265b-b6bd-70ce-a8d7-000000314159"
TASK = "01a2265b-b6bd-70ce-a8d7-000000314160"


def body(reference: str = REFERENCE, **members: Any) -> bytes:
    """Return the body of an archive whose person, phone and number are the planted values."""
    made = json.loads(sample_body(reference))
    made["data"][0]["value"] = VALUES[0]
    made["data"][1]["value"] = VALUES[2]
    made["sessions"][0]["recipient"] |= {"name": VALUES[0], "phone": VALUES[1]}
    made["sessions"][0]["labels"] = {"customer": VALUES[2], "branch": "Haifa"}
    made["attachments"][0]["filename"] = f"{VALUES[0]}.png"
    return json.dumps(made | members).encode()


def plant(prefect: Path | None = None) -> str:
    """Let everything happen to the archive that leaves something of it. Return its receipt id."""
    about: dict[str, Any] = {"url": "https://erp.example/hook", "created_at": NOON}
    put(EndpointRow(name="erp", **about), EndpointRow(name="haifa", labels={"branch": "Haifa"}, **about))
    archived(OTHER, sample_body(OTHER))
    receipt_id = archived(REFERENCE, body())
    archived(REFERENCE, body(note="changed"))
    _plant_payments()
    _plant_people(receipt_id)
    _plant_arrivals()
    if prefect:
        prefect_file(settings()).parent.mkdir(parents=True)
        shutil.copy(prefect, prefect_file(settings()))
        _plant_in_prefect()
    happened.keep_all()
    settings().check_note.write_text(json.dumps({"last_key": ocfl.object_key(REFERENCE)}))
    return receipt_id


def _plant_payments() -> None:
    """Let another archive have the same transaction, so that each finding names both; and a report pay this archive."""
    twin = json.loads(sample_body(OTHER))
    twin["payments"][0]["transaction_id"] = json.loads(body())["payments"][0]["transaction_id"]
    archived(OTHER, json.dumps(twin).encode())
    cguid = json.loads(body())["payments"][0]["provider_transaction_result"]["cguid"]
    imported(report(line(cguid)), now=datetime.now(UTC))
    put(SettlementCandidateRow(reference=REFERENCE, fingerprint="f"))
    put(WarningRow(reference=REFERENCE, position=0, code="OTP_NOT_SENT", where=VALUES[0], values={}))
    put(PaymentKeyRow(reference=REFERENCE, position=0, payment_id="p", standing="charged"))
    of_label: dict[str, Any] = {"kind": Kind.LABEL, "facet": named_facet(Kind.LABEL, "customer", VALUES[2])}
    put(FacetValueRow(**of_label, name="customer", value=VALUES[2]))
    derived.begin()
    with writing() as session:
        insert_new(session, SearchFacetRow, {"entry_id": entry_id(session, REFERENCE), **of_label})
        session.get_one(DerivedRow, derived.SEARCH).last = REFERENCE


def _plant_people(receipt_id: str) -> None:
    actions.record([REFERENCE], ActionKind.EXPORT, "Dana", NOON)
    for number, query in enumerate(
        (f"reference={REFERENCE}", f"label=customer%3D{VALUES[2]}&state=completed", "q=" + VALUES[0])
    ):
        view = SavedViewRow(view_id=str(number), name=f"view {number}", query=query, saved_by="Dana", saved_at=NOON)
        saved_views.save(view)
    for chosen in (ArchiveFilter(references=[REFERENCE, OTHER]), ArchiveFilter(reference=REFERENCE)):
        batch_id = batches.plan(BatchKind.RERUN, chosen, "Dana").id
    batches.freeze(batch_id, "Dana")
    about: dict[str, Any] = {
        "title": "Look",
        "text": f"Look:\n{REFERENCE} has failed, {ocfl.object_key(REFERENCE)}/v1",
        "planned_at": NOON,
        "address": "mailto:1",
    }
    said = {"code": "text", "values": {"text": f"see /login?next=%2Farchives%2F{quote(REFERENCE, safe='')}"}}
    notice: dict[str, Any] = {
        "notice_id": "n",
        "kind": NoticeKind.CONDITION,
        "key": "k",
        "detail": said,
        "level": 0,
        "count": 1,
        "most": 1,
    }
    rows = [
        NoticeRow(**notice, opened_at=NOON, last_at=NOON),
        LetterRow(notice_id="n", number=1, **about),
    ]
    listed = {"type": "delivery.refused", "data": {"deliveries": [{"reference": REFERENCE, "found": VALUES[2]}]}}
    message: dict[str, Any] = {"receipt_id": receipt_id, "endpoint": "https://erp.example/hook", "endpoint_name": "erp"}
    with writing() as session:
        session.add_all(rows)
        for each in rows:
            note_rows(session, type(each), [each.model_dump()])
        put_event = EventRow(
            event_id="evt_many",
            type="delivery.refused",
            reference="",
            receipt_id="group",
            at=NOON,
            body=json.dumps(listed),
        )
        session.add(put_event)
        note_rows(session, EventRow, [put_event.model_dump()])
        message_id = "msg_planted"
        session.add(
            NotificationRow(
                message_id=message_id,
                reference=REFERENCE,
                event="archive.completed",
                state="delivered",
                planned_at=NOON,
                **message,
            )
        )
        session.add(NotificationAttemptRow(message_id=message_id, attempt=1, attempted_at=NOON, answer=VALUES[2]))
        session.add(run_row(RUN, receipt_id, reference=REFERENCE, state="Completed", ended_at=NOON))
        session.add(TaskResultRow(flow_run_id=RUN, name="load-metadata", content=VALUES[0].encode()))
        session.add(StoredObjectRow(key=ocfl.object_key(REFERENCE), checked_at=NOON))
        condition: dict[str, Any] = {
            "since": NOON,
            "found_at": NOON,
            "count": 1,
            "values": {"files": [f"{ocfl.object_key(REFERENCE)}/v1"]},
        }
        session.add(ConditionRow(kind="archive", subject=REFERENCE, code="FILE_DAMAGED", **condition))
        session.add(ConditionRow(kind="store", subject="", code="NOT_AS_ANCHORED", **condition))
        session.add(LeaseRow(kind=Leased.PROCESS, subject=REFERENCE, holder="gone", expires_at=NOON))
    keep_progress(
        RUN,
        ImportProgress(
            problems=[
                ImportProblem(
                    path=f"{name}.json", outcome=ImportOutcome.FAILED, code="C", where="", detail="d", receipt_id=None
                )
                for name in (REFERENCE, OTHER)
            ]
        ),
    )


def _plant_arrivals() -> None:
    """Let session events arrive, with and without the reference, and a refused body of the process."""
    for number, sent in enumerate(
        (session_event(reference=REFERENCE), session_event(reference=None), large_body(REFERENCE))
    ):
        journaled([sent], NOON + timedelta(seconds=number))
        take_in(session_events.batches())
    put(
        HoldRow(
            hold_id="released",
            reference=REFERENCE,
            why=VALUES[0],
            by="eve",
            at=NOON,
            released_by="eve",
            released_at=NOON,
        )
    )
    missing = MissingProcessRow(
        missing_id="m",
        source="default",
        reference=REFERENCE,
        why="listed",
        since=NOON,
        deadline_at=NOON,
        opened_at=NOON,
    )
    with writing() as session:
        session.add(missing)
        for each in (missing, session.get_one(HoldRow, "released")):
            note_rows(session, type(each), [each.model_dump()])
    intake = Intake()
    intake.digest(REFUSED)
    intake.write([REFUSED])
    intake.quarantine(Refused("NOT_JSON", "expected JSON"), NOON, FoundProcess(REFERENCE))
    asyncio.run(list_all_refused())


def _plant_in_prefect() -> None:
    """Give the embedded server what a run of the archive leaves, and a run that is about many archives."""
    at, other_run = "2026-01-01 00:00:00.000000", "01a2265b-b6bd-70ce-a8d7-000000000099"
    with closing(sqlite3.connect(prefect_file(settings()))) as made, made:

        def insert(table: str, **values: Any) -> None:
            names = ", ".join(values)
            made.execute(
                f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", tuple(values.values())
            )

        for flow, run in (("process-archive", RUN), ("verify-archives", other_run)):
            insert("flow", id=f"{run[:-3]}f{run[-2:]}", name=flow)
            insert(
                "flow_run",
                id=run,
                flow_id=f"{run[:-3]}f{run[-2:]}",
                name=REFERENCE if run == RUN else "verify",
                parameters=json.dumps({"reference": REFERENCE} if run == RUN else {}),
            )
            insert(
                "log",
                id=secrets.token_hex(16),
                name="prefect",
                level=20,
                flow_run_id=run,
                message=f"{REFERENCE} read",
                timestamp=at,
            )
            insert(
                "artifact",
                id=secrets.token_hex(16),
                key="store-damaged",
                flow_run_id=run,
                data=json.dumps({"key": REFERENCE}),
                description=f"Archive {REFERENCE}",
            )
        insert("artifact", id=secrets.token_hex(16), key=prefect_erasure.summary_key(REFERENCE), data=VALUES[0])
        insert(
            "artifact_collection",
            id=secrets.token_hex(16),
            key=prefect_erasure.summary_key(REFERENCE),
            latest_id="x",
            data=VALUES[0],
        )
        insert("task_run", id=TASK, flow_run_id=RUN, name="load", task_key="load", dynamic_key="0", run_count=1)
        insert(
            "log", id=secrets.token_hex(16), name="prefect", level=20, task_run_id=TASK, message=VALUES[0], timestamp=at
        )
        for resource in (f"prefect.task-run.{TASK}", f"cellar.archive.{reference_digest(REFERENCE)}"):
            event_id = secrets.token_hex(16)
            insert(
                "events",
                id=event_id,
                occurred=at,
                event="e",
                resource_id=resource,
                resource="{}",
                related="[]",
                related_resource_ids="[]",
                payload=json.dumps({"name": VALUES[0], "reference": REFERENCE}),
                received=at,
                recorded=at,
            )
            insert(
                "event_resources",
                id=secrets.token_hex(16),
                occurred=at,
                resource_id=resource,
                resource_role="",
                resource="{}",
                event_id=event_id,
            )


def traces(*, but: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Return where something planted is found: the spelled reference, or a value, by its place."""
    wanted = [*spellings(REFERENCE), *VALUES]
    found: dict[str, list[str]] = {}
    for place, text in everything():
        hits = [each for each in wanted if each in text or each in place]
        if hits and not place.startswith(but):
            found[place] = hits
    return found


def everything() -> Iterator[tuple[str, str]]:
    for name, table in SQLModel.metadata.tables.items():
        with reading() as session:
            for number, row in enumerate(session.connection().execute(plain_select(table))):
                yield f"{name}/{number}", "\n".join(map(_text, row))
    for name, place in (("store", store()), ("inbox", storage_at(settings().inbox_location))):
        for key, _ in place.listed(""):
            yield f"{name}/{key}", place.read_bytes(key).decode(errors="replace")
    for path in settings().data_dir.rglob("*"):  # databases with all their bytes, notes, the spool
        if path.is_file():
            yield path.name, path.read_bytes().decode(errors="replace")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else json.dumps(value, default=str)
