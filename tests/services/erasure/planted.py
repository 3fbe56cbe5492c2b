# mypy: disable-error-code="no-untyped-call"
"""An archive that has left something in every table and folder, beside archives that share much with it."""

import asyncio
import base64
import json
import secrets
import shutil
import sqlite3
import zlib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZipFile

from pyhanko.pdf_utils.generic import DictionaryObject, TextStringObject
from sqlmodel import select

from adapters.database.noted import note_rows
from adapters.database.transactions import writing
from adapters.inbox import session_events
from adapters.inbox.inbox import Intake
from adapters.observation.log import reference_digest
from adapters.peers import prefect_erasure
from adapters.settings.environment import prefect_file
from adapters.settings.settings import settings
from adapters.store import happened, kept_endpoints, ocfl
from adapters.store.tombstones import known_digest
from adapters.tables.people import saved_views
from adapters.tables.runs import receipts
from domain.archive.found_process import FoundProcess
from domain.search import named_facet
from models.archive.archive import WarningRow
from models.completeness.processes import MissingProcessRow
from models.errors import Refused
from models.messages.notification import EndpointRow, EventRow, NotificationAttemptRow, NotificationRow
from models.payments import PaymentKeyRow
from models.people import ActionKind, SavedViewRow
from models.runs.batch import BatchKind
from models.runs.receipt import Identity, Leased, LeaseRow, RefusedRow, TaskResultRow
from models.search import DerivedRow, FacetValueRow, Kind
from models.settlements.settlement import SettlementCandidateRow
from models.store.condition import ConditionRow, StoredObjectRow
from models.views.archives.archives import ArchiveFilter
from models.views.archives.holds import Holding
from models.views.archives.payments import Explanation
from models.views.batch import RedeliveryFilter
from models.views.parameters import Dismissal
from services import derived, holds, triage
from services.batches import batches
from services.completeness import finding_missing
from services.completeness.session_events import take_in
from services.payments import discrepancies
from services.people import actions
from services.receipts import leave_inbox
from services.triggering.refused import list_all_refused
from tests.installations import archived, finished
from tests.pdfs import edited, filled, form, identity, signed, updated, with_attachment
from tests.records import NOON, all_of, put, run_row
from tests.samples import sample_body, sample_document
from tests.services.erasure.searching import everything, found_in
from tests.session_events import body as session_event
from tests.session_events import journaled, large_body
from tests.settlements import imported, line, report

REFERENCE, OTHER = "דוח/forget me 7", "stays-8"
"""The reference has a slash, a space and Hebrew: each place spells it in another way."""
RUN = "01a2265b-b6bd-70ce-a8d7-000000314159"
TASK = "01a2265b-b6bd-70ce-a8d7-000000314160"
PHONE, MAIL = "972503141592", "zq-mail-planted@example.com"

_WORDS = """
    author, recipient, second recipient, destination of the password, signer, signer id, user agent, device,
    label name, label, label of a signature, integration, payload of an integration, error of an integration,
    text field, long text field, choice, choices, checkbox, radio button, date field, mail field, signature field,
    unknown field, hidden field, structure of a field, meta of a field, id of a field, geocoded address,
    attachment name, attachment, zip attachment name, name in a zip, file in a zip,
    document name, document text, document form, document metadata, document attachment, certificate,
    card brand, acquirer, card token, provider reference, provider transaction,
    unknown member, address of a page, changed member, member of the first version,
    request id of a delivery, user agent of a delivery, imported file, file that waits,
    event before the archive, large event, event without a reference, event after the archive, refused body,
    reason of a dismissal, reason of an explanation, reason of a hold, reason of a release, reason about a missing,
    exporter, answer of an endpoint, warning, message of many, result of a task,
    log of a run, parameter of a run, artifact of a run, event of a run, log of a task, state of a task,
    state of a run, input of a run
"""
VALUES = {name: f"zq{number:02}planted" for number, name in enumerate(" ".join(_WORDS.split()).split(", "))} | {
    "reference": REFERENCE,
    "process number": "731415926535",
    "transaction number": "731415926536",
    "session id": "wS-314159-zq",
    "second session id": "wS-314160-zq",
    "Hebrew name": "נשתלהכאן",
    "phone": PHONE,
    "second phone": "972503141593",
    "mail": MAIL,
    "identity number": "314159265",
    "IPv4 address": "203.0.113.159",
    "IPv6 address": "2001:db8:3141:5926::53",
    "latitude": "32.31415926",
    "longitude": "34.31415926",
    "coordinates of a field": "31.3141592",
    "card mask": "314159******2653",
    "authorisation number": "314159265358",
    "cguid": "271828182845",
    "amount": "8271828182",
}
"""What is planted, each value in its own place, by the name of that place."""
_V = VALUES
_TRANSACTION = "31415926-5358-4793-a238-462643383279"
"""Of another archive too, so it stays."""


def body(reference: str = REFERENCE, **members: Any) -> bytes:
    """Return the body of an archive that has a planted value in each place."""
    made = sample_document()
    first = made["sessions"][0]
    first |= {
        "id": _V["session id"],
        "author": f"{_V['author']}@example.com",
        "process_number": int(_V["process number"]),
        "transaction_number": int(_V["transaction number"]),
        "labels": {_V["label name"]: "x", "customer": _V["label"], "branch": "Haifa"},
    }
    first["recipient"] |= {"name": _V["recipient"], "phone": f"+{PHONE}"}
    first["recipient"]["otp_destination"]["address"] = f"{_V['destination of the password']}@example.com"
    first["recipient"]["invitations"] = [
        {"address": MAIL, "type": "email", "provider": None, "status": "sent"},
        {"address": f"+{_V['second phone']}", "type": "sms", "provider": None, "status": "sent"},
    ]
    first["submission_details"] |= {"ip": _V["IPv4 address"], "user_agent": f"Browser {_V['user agent']}"}
    first["submission_details"] |= {"device": _V["device"]}
    first["submission_details"] |= {each: float(_V[each]) for each in ("latitude", "longitude")}
    first["integrations"][0] |= {
        "id": _V["integration"],
        "payload": {"said": _V["payload of an integration"]},
        "error": {"because": _V["error of an integration"]},
        "status": "failure",
    }
    second = json.loads(json.dumps(first)) | {"id": _V["second session id"], "labels": {}, "integrations": []}
    second["recipient"] |= {"name": f"{_V['Hebrew name']} {_V['second recipient']}"}
    second["submission_details"] |= {"ip": _V["IPv6 address"]}
    made["sessions"].append(second)
    for session in made["sessions"]:
        session["reference"] = session["process_id"] = reference
    made["signatures"][0] |= {
        "labels": {"tag": _V["label of a signature"]},
        "signed_by": {"id": _V["signer id"], "name": _V["signer"]},
    }
    made["data"][0] |= {"value": _V["text field"], "id": _V["id of a field"]}
    made["data"][1]["value"] = _V["identity number"]
    made["data"][4] |= {
        "value": f"{_V['coordinates of a field']},34.9",
        "meta": {"geocoder": f"{_V['geocoded address']} St"},
    }
    more = [
        ("textarea", f"a\n{_V['long text field']}"),
        ("select", _V["choice"]),
        ("multiselect", [_V["choices"]]),
        ("checkbox", {"checked": True, "text": _V["checkbox"]}),
        ("radio", _V["radio button"]),
        ("date", f"2026-01-02 {_V['date field']}"),
        ("email", f"{_V['mail field']}@example.com"),
        ("signature", _V["signature field"]),
        ("hologram", _V["unknown field"]),
        ("text", {"of": {"it": _V["structure of a field"]}}),
    ]
    template = made["data"][0]
    made["data"] += [template | {"id": f"F{at}", "type": kind, "value": of} for at, (kind, of) in enumerate(more)]
    made["data"].append(template | {"id": "HIDDEN", "visible": False, "value": _V["hidden field"]})
    made["data"].append(template | {"id": "META", "value": "", "meta": {"hint": _V["meta of a field"]}})
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr(f"{_V['name in a zip']}.txt", f"{_V['file in a zip']} " * 50)
    made["attachments"] = [
        {"id": f"A{number}", "filename": name, "mimetype": kind, "content": base64.b64encode(content).decode()}
        for number, (name, kind, content) in enumerate(
            (
                (f"{_V['attachment name']}.txt", "text/plain", f"Dear {_V['attachment']}".encode()),
                (f"{_V['zip attachment name']}.zip", "application/zip", packed.getvalue()),
            )
        )
    ]
    made["signed_document"] |= {
        "filename": f"{_V['document name']}.pdf",
        "content": base64.b64encode(_document()).decode(),
    }
    payment = made["payments"][0]
    payment |= {
        "transaction_id": _TRANSACTION,
        "session_id": _V["session id"],
        "provider_transaction_reference": _V["provider reference"],
        "amount": int(_V["amount"]),
    }
    payment["provider_transaction_result"] |= {
        "card_mask": _V["card mask"],
        "card_brand": _V["card brand"],
        "card_aquirer": _V["acquirer"],
        "card_id": _V["card token"],
        "internal_transaction_id": _V["provider transaction"],
        "auth_number": _V["authorisation number"],
        "cguid": _V["cguid"],
        "total": _V["amount"],
    }
    made["data"][3]["value"] = _TRANSACTION
    made |= {"reference": reference, "more": _V["unknown member"]}
    made["page"] = f"https://forms.example/{quote(reference, safe='')}?who={_V['address of a page']}"
    return json.dumps(made | members).encode()


@cache
def _document() -> bytes:
    """Return a signed document with values in its text, its form, its metadata, a packed stream and the certificate."""
    pdf = filled(edited(form(), _V["document text"]), _V["document form"])
    pdf = with_attachment(pdf, zlib.compress(_V["document attachment"].encode() * 9))
    title = DictionaryObject({"/Title": TextStringObject(f"{_V['document metadata']} של לקוח")})
    pdf = updated(pdf, lambda writer: writer.set_info(title))
    return signed(pdf, by=identity(_V["certificate"]))


REFUSED = (
    f'{{"reference": "{REFERENCE}", "note": "{_V["refused body"]}", "p": "{_V["card mask"]}, {_V["cguid"]}", '.encode()
)
REFUSED += f'"t": "{_V["card token"]}, {_V["authorisation number"]}, {_V["provider transaction"]}"'.encode()


def plant(prefect: Path | None = None) -> str:
    """Let everything happen to the archive that leaves something of it. Return its receipt id."""
    about: dict[str, Any] = {"url": "https://erp.example/hook", "created_at": NOON}
    put(EndpointRow(name="erp", **about))
    kept_endpoints.keep(EndpointRow(name="erp", **about))
    _plant_events("event before the archive", 0)
    archived(OTHER, sample_body(OTHER))
    receipt_id = _delivered(body(first=_V["member of the first version"]), NOON)
    _delivered(body(note=_V["changed member"]), NOON + timedelta(hours=1))
    _delivered(body(note=_V["changed member"]), NOON + timedelta(hours=2))  # a duplicate
    _plant_payments()
    _plant_people(receipt_id)
    _plant_decisions()
    _plant_arrivals()
    if prefect:
        prefect_file(settings()).parent.mkdir(parents=True)
        shutil.copy(prefect, prefect_file(settings()))
        _plant_in_prefect()
    happened.keep_all()
    settings().check_note.write_text(json.dumps({"last_key": ocfl.object_key(REFERENCE)}))
    return receipt_id


def _delivered(content: bytes, at: datetime) -> str:
    """Receive and complete the archive, with the headers of a delivery and of an import."""
    headers = {
        "content-type": "application/json",
        "x-request-id": _V["request id of a delivery"],
        "user-agent": _V["user agent of a delivery"],
        "x-cellar-file": f"{_V['imported file']}.json",
    }
    intake = Intake()
    intake.digest(content)
    intake.write([content])
    delivery = intake.accept(Identity(REFERENCE, int(_V["process number"])), at, headers)
    receipts.register_all([delivery], known_digest(REFERENCE))
    finished(REFERENCE, delivery.receipt_id)
    leave_inbox(delivery.receipt_id)
    return delivery.receipt_id


def _plant_payments() -> None:
    """Let another archive have the same transaction, so that each finding names both; and a report pay this archive."""
    twin = json.loads(sample_body(OTHER))
    twin["payments"][0]["transaction_id"] = json.loads(body())["payments"][0]["transaction_id"]
    archived(OTHER, json.dumps(twin).encode())
    cguid = json.loads(body())["payments"][0]["provider_transaction_result"]["cguid"]
    imported(report(line(cguid)), now=datetime.now(UTC))
    put(SettlementCandidateRow(reference=REFERENCE, fingerprint="f"))
    put(WarningRow(reference=REFERENCE, position=99, code="OTP_NOT_SENT", where=_V["warning"], values={}))
    put(PaymentKeyRow(reference=REFERENCE, position=9, payment_id="p", standing="charged"))
    of_label = named_facet(Kind.LABEL, "customer", _V["label"])
    put(FacetValueRow(kind=Kind.LABEL, facet=of_label, name="customer", value=_V["label"]))
    derived.begin()
    while derived.fill():
        pass
    with writing() as session:
        session.get_one(DerivedRow, derived.SEARCH).last = REFERENCE


def _plant_people(receipt_id: str) -> None:
    actions.record([REFERENCE], ActionKind.EXPORT, _V["exporter"], NOON)
    for number, query in enumerate(
        (
            f"reference={REFERENCE}",
            f"label=customer%3D{_V['label']}&state=completed",
            f"q={_V['recipient']}",
            f"session={_V['session id']}",
            f"process_number={_V['process number']}",
            f"signer={_V['recipient']}",
        )
    ):
        view = SavedViewRow(view_id=str(number), name=f"view {number}", query=query, saved_by="Dana", saved_at=NOON)
        saved_views.save(view)
    for chosen in (
        ArchiveFilter(references=[REFERENCE, OTHER]),
        ArchiveFilter(q=_V["recipient"]),
        ArchiveFilter(transaction_number=int(_V["transaction number"])),
        ArchiveFilter(label=[f"customer={_V['label']}"], filename=f"{_V['attachment name']}.txt"),
        ArchiveFilter(reference=REFERENCE),
    ):
        batch_id = batches.plan(BatchKind.RERUN, chosen, "Dana").id
    batches.freeze(batch_id, "Dana")
    batches.plan(BatchKind.REDELIVER, RedeliveryFilter(reference=REFERENCE), "Dana")
    listed = {
        "type": "delivery.refused",
        "data": {"deliveries": [{"reference": REFERENCE, "found": _V["message of many"]}]},
    }
    message: dict[str, Any] = {"receipt_id": receipt_id, "endpoint": "https://erp.example/hook", "endpoint_name": "erp"}
    with writing() as session:
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
        session.add(
            NotificationAttemptRow(
                message_id=message_id, attempt=1, attempted_at=NOON, answer=_V["answer of an endpoint"]
            )
        )
        session.add(run_row(RUN, receipt_id, reference=REFERENCE, state="Completed", ended_at=NOON))
        session.add(TaskResultRow(flow_run_id=RUN, name="load-metadata", content=_V["result of a task"].encode()))
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


def _plant_decisions() -> None:
    """Let people decide about the archive, for a reason each."""
    now = datetime.now(UTC)
    explanation = Explanation(by="Dana", why=_V["reason of an explanation"])
    assert discrepancies.explain_all([REFERENCE], explanation, now)
    about = ArchiveFilter(reference=REFERENCE)
    assert holds.put(about, Holding(reason=_V["reason of a hold"]), "eve", now) == 1
    assert holds.release(about, "eve", _V["reason of a release"], now) == 1
    missing: dict[str, Any] = {
        "source": "default",
        "why": "listed",
        "since": NOON,
        "deadline_at": NOON,
        "opened_at": NOON,
    }
    rows = [
        MissingProcessRow(missing_id="m", reference=REFERENCE, **missing),
        MissingProcessRow(missing_id="n", process_number=int(_V["process number"]), **missing),
        MissingProcessRow(missing_id="o", transaction_number=int(_V["transaction number"]), **missing),
    ]
    with writing() as session:
        session.add_all(rows)
        for each in rows:
            note_rows(session, MissingProcessRow, [each.model_dump()])
    for each in rows:
        finding_missing.dismiss(each.missing_id, Dismissal(by="Dana", why=_V["reason about a missing"]), now)


def _plant_events(name: str, second: int) -> None:
    """Let a session event arrive."""
    journaled([session_event(reference=REFERENCE, number=second, note=_V[name])], NOON + timedelta(seconds=second))
    take_in(session_events.batches())


def _plant_arrivals() -> None:
    """Let session events arrive, with and without the reference, and a refused body of the process."""
    _plant_events("event after the archive", 5)
    nameless = json.loads(session_event(reference=None, note=_V["event without a reference"]))
    nameless["session"] |= {"process_number": int(_V["process number"]), "id": _V["session id"]}
    large = large_body(REFERENCE).replace(b"\\u00e9", _V["large event"].encode(), 1)
    for number, sent in enumerate((json.dumps(nameless).encode(), large), 6):
        journaled([sent], NOON + timedelta(seconds=number))
        take_in(session_events.batches())
    intake, waits = Intake(), sample_body(REFERENCE, note=_V["file that waits"])
    intake.digest(waits)
    intake.write([waits])
    intake.accept(Identity(REFERENCE), NOON, {}, is_imported=True)
    intake = Intake()
    intake.digest(REFUSED)
    intake.write([REFUSED])
    intake.quarantine(Refused("NOT_JSON", "expected JSON"), NOON, FoundProcess(REFERENCE))
    asyncio.run(list_all_refused())
    (named,) = all_of(select(RefusedRow.receipt_id))
    assert triage.KINDS[triage.Trouble.REFUSED].decide(
        [named], Dismissal(by="Dana", why=_V["reason of a dismissal"]), datetime.now(UTC)
    )


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
                parameters=json.dumps({"reference": REFERENCE, "of": _V["parameter of a run"]} if run == RUN else {}),
            )
            insert(
                "log",
                id=secrets.token_hex(16),
                name="prefect",
                level=20,
                flow_run_id=run,
                message=f"{REFERENCE} read, {_V['log of a run'] if run == RUN else ''}",
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
        insert(
            "artifact",
            id=secrets.token_hex(16),
            key=prefect_erasure.summary_key(REFERENCE),
            data=_V["artifact of a run"],
        )
        insert(
            "artifact_collection",
            id=secrets.token_hex(16),
            key=prefect_erasure.summary_key(REFERENCE),
            latest_id="x",
            data=_V["artifact of a run"],
        )
        insert("task_run", id=TASK, flow_run_id=RUN, name="load", task_key="load", dynamic_key="0", run_count=1)
        insert(
            "log",
            id=secrets.token_hex(16),
            name="prefect",
            level=20,
            task_run_id=TASK,
            message=_V["log of a task"],
            timestamp=at,
        )
        state = {"id": secrets.token_hex(16), "type": "COMPLETED", "name": "Completed"}
        insert("task_run_state", task_run_id=TASK, message=_V["state of a task"], **state)
        insert("flow_run_state", flow_run_id=RUN, message=_V["state of a run"], **state)
        insert("flow_run_input", id=secrets.token_hex(16), flow_run_id=RUN, key="k", value=_V["input of a run"])
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
                payload=json.dumps({"name": _V["event of a run"], "reference": REFERENCE}),
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


def traces() -> dict[str, str]:
    """Return a place where something planted is found, by the name of its value."""
    return found_in(everything(), VALUES)
