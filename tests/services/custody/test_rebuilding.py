"""The database is rebuilt from the store alone, row for row."""

import asyncio
import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from adapters.database.noted import note
from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.inbox import inbox, session_events
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.tables.completeness import missing_processes
from adapters.tables.people import saved_views
from adapters.tables.runs import receipts
from flows.process_archive import process_archive
from models.access import CELLAR, Action
from models.completeness.processes import SessionEventType
from models.erasures import TombstoneMarkRow
from models.errors import Refused
from models.people import ActionKind, SavedViewRow
from models.runs.batch import BatchAction, BatchKind
from models.runs.receipt import Trigger
from models.store.fixity import Fault
from models.templates import Names, TemplateWords
from models.views.archives.archives import ArchiveFilter
from models.views.archives.holds import Holding
from models.views.archives.payments import Explanation
from models.views.parameters import Dismissal
from services import derived, holds, tables, templates
from services.access.log import record
from services.batches import batches
from services.completeness import finding_missing
from services.completeness.finding_missing import announce_missing, find_missing
from services.completeness.session_events import take_in
from services.custody.objects import object_of, stored_objects
from services.custody.rebuilding import Rebuilt, rebuild
from services.custody.verifying import missing
from services.custody.verifying_records import verify_beside
from services.messages.deliveries import deliver_due, due_endpoints
from services.payments import discrepancies, recorded
from services.people import actions
from services.processing.persisting import persist
from services.triggering.trigger import trigger
from tests.conftest import Configure, make_tables
from tests.flows.conftest import received
from tests.flows.databases import in_new_database, rows
from tests.installations import archive_of, archived, inventory_of
from tests.messages import SECRET
from tests.ocfl_validator import validation_errors
from tests.records import buried, digest
from tests.samples import sample_body
from tests.session_events import NOON, body, journaled
from tests.settlements import imported, line, report

pytestmark = pytest.mark.usefixtures("prefect")

AUTHORISATION = "0123456"
TEMPLATE = "9fa70d4ccea84262b1ed2308a07a3fb4"
LATER = NOON + timedelta(hours=2)


@pytest.fixture(autouse=True)
def _installation(configure: Configure, sqlite_installation: Settings, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    httpserver.expect_request("/gone").respond_with_data("", status=410)
    urls = f"{httpserver.url_for('/hook')},{httpserver.url_for('/gone')}"
    configure(notify_urls=urls, notify_secret=SECRET, notify_allow_private="true")


def run(reference: str, body: bytes, at: datetime | None = None) -> str:
    receipt_id = received(reference, body, at).receipt_id
    with suppress(Refused):  # of the endpoint that answers 410
        asyncio.run(process_archive(reference, receipt_id))
    return receipt_id


def body_at(timestamp: str, **members: Any) -> bytes:
    document = json.loads(sample_body("process-1")) | members
    document["event"] = document["event"] | {"timestamp": timestamp}
    return json.dumps(document).encode()


def charge(reference: str, **result: Any) -> Any:
    """Return an attempt at the payment of the sample."""
    made = json.loads(sample_body(reference))["payments"][0] | {"type": "charge"}
    made["provider_transaction_result"] |= {"auth_number": AUTHORISATION} | result
    return made


def explain_one(reference: str | None) -> None:
    """Explain a discrepancy of a process, or a discrepancy without an archive."""
    now = datetime.now(UTC)
    if reference is None:
        imported(report(line("of nobody", settled=now.date())))
    discrepancies.explain(next(iter(recorded.not_closed_by_id(reference))), Explanation(by="Dana", why="a tip"), now)


def happen() -> None:
    """Let happen what follows from no archive: actions, batches, missing processes with letters, saved views, holds,
    erasures, and columns that were given their names.
    """
    tables.form(TEMPLATE, CELLAR)
    holds.put(ArchiveFilter(reference="process-1"), Holding(reason="a claim"), "Dana", LATER)
    mark = TombstoneMarkRow(mark=digest("a session"), digest=buried("erased"))
    with writing() as session:
        session.add(mark)
        note(session, TombstoneMarkRow)
    actions.record(["process-1", "process-2"], ActionKind.EXPORT, "Dana", LATER)
    record(CELLAR, Action.READ_ARCHIVE, reference="process-1")
    for view_id in ("1", "2"):
        its: dict[str, Any] = {"name": f"view {view_id}", "query": f"q={view_id}", "saved_by": "Dana"}
        saved_views.save(SavedViewRow(view_id=view_id, saved_at=LATER, **its))
    saved_views.remove("2", "Dana", LATER)
    planned = batches.plan(BatchKind.RERUN, ArchiveFilter(), "Dana")
    batches.freeze(planned.id, "Dana")
    batches.change(BatchAction.ABORT, planned.id, "Dana")
    journaled([body(SessionEventType.FORM_SUBMITTED, name, number) for number, name in enumerate(("lost", "known"), 1)])
    take_in(session_events.batches())
    find_missing(LATER)
    announce_missing(LATER)
    (known,) = (each.missing_id for each in missing_processes.nearest_open(9) if each.reference == "known")
    finding_missing.dismiss(known, Dismissal(by="Dana", why="on paper"), LATER)
    for endpoint in asyncio.run(due_endpoints(datetime.now(UTC))):
        asyncio.run(deliver_due(endpoint))


def fill(configure: Configure) -> None:
    """Let everything happen that leaves rows: archives with versions and payments, their settlement, and the rest."""
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    words = TemplateWords(name=Names(en="Lease"), title=["person", "label:CUSTOMER_TAG"], facets=["label:CUSTOMER_TAG"])
    templates.name({TEMPLATE: words}, "a person", long_ago)
    run("process-1", body_at("2026-03-01T00:00:00Z"), long_ago)
    run("process-1", body_at("2026-05-01T00:00:00Z", data=[]), long_ago + timedelta(days=1))
    run("process-1", body_at("2026-05-02T00:00:00Z", data=[]), long_ago + timedelta(days=2))
    run("process-1", body_at("2026-04-01T00:00:00Z", signatures=[]), long_ago + timedelta(days=3))
    run("process-2", sample_body("process-2", payments=[{"transaction_id": "1", "amount": "x"}]))
    run("process-3", sample_body("process-3", payments=[{"transaction_id": "1", "amount": 1}], attachments=[{}]))
    for name in ("process-4", "process-5"):
        run(name, sample_body(name, payments=[charge(name), charge(name, cguid="tried before")]))
    cguid = charge("process-4")["provider_transaction_result"]["cguid"]
    imported(report(line(cguid), line(auth=AUTHORISATION, paid="2022-12-21", card="4580")))
    for reference in ("process-2", None):
        explain_one(reference)
    with suppress(Refused):
        asyncio.run(process_archive("process-2"))  # a rerun by a person
    again = received("process-2", sample_body("process-2", payments=[{"transaction_id": "1", "amount": "x"}]))
    asyncio.run(trigger(again, Trigger.WEBHOOK))
    happen()


@pytest.mark.usefixtures("kinds")
def test_rebuilt_database_equals_the_lost_database_row_for_row(configure: Configure) -> None:
    fill(configure)
    before = rows()
    assert {name for name, found in before.items() if not found} == {
        *("damaged_report", "refused"),
    }
    assert list(inbox.deliveries()) == []
    shutil.rmtree(settings().inbox_location)

    assert in_new_database(configure) == 5

    find_missing(LATER)  # which finds nothing that was not found before
    after = rows()
    assert "DUPLICATE_TRANSACTION" in str(after["discrepancy"])
    assert str(after["discrepancy_event"]).count("a tip") == 2
    assert {name: set(its) ^ set(after[name]) for name, its in before.items() if its != after[name]} == {}
    assert validation_errors() == []
    assert [each for each in verify_beside().findings if each.fault is not Fault.MISSING] == []


def test_delivery_registered_out_of_order_does_not_change_the_current_version(
    configure: Configure,
) -> None:
    """It waited for the database. No payload has an event time, so times of receipt decide which version is current."""
    first, second, third = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
    body = sample_body("process-1", event={"type": "WHP_ARCHIVE"})
    run("process-1", sample_body("process-1", event={"type": "WHP_ARCHIVE"}, data=[]), second)
    run("process-1", body, third)
    asyncio.run(trigger(received("process-1", body, first), Trigger.WEBHOOK))
    derived.begin()
    while derived.fill():  # as a worker does: the text of an archive has the day of its arrival
        pass
    before = rows()

    in_new_database(configure)
    derived.begin()

    assert rows() == before


def test_version_without_a_history_gets_a_receipt(configure: Configure) -> None:
    receipt_id = run("process-1", sample_body("process-1"))
    for path in object_of("process-1").sizes:
        if path.startswith("logs/history/"):
            (settings().data_dir / "store" / object_of("process-1").key / path).unlink()

    in_new_database(configure)

    assert [each.receipt_id for each in [receipts.get(receipt_id)]] == [receipt_id]
    assert receipts.get(receipt_id).state == "completed"


def test_damaged_history_is_named_and_nothing_else_is_lost(configure: Configure) -> None:
    for reference in ("process-1", "process-2"):
        archived(reference, sample_body(reference))
    stored = object_of("process-1")
    (path,) = [each for each in stored.sizes if each.startswith("logs/history/")]
    store().overwrite_bytes(b"{", f"{stored.key}/{path}")

    rebuilt = rebuilt_in_new_database(configure)

    assert (rebuilt.archives, [key for key, _ in rebuilt.damaged]) == (2, [f"{stored.key}/{path}"])
    assert len(rows()["archive"]) == len(rows()["version"]) == len(rows()["signed_document"]) == 2


def rebuilt_in_new_database(configure: Configure) -> Rebuilt:
    configure(database_url=settings().database_location.replace("cellar.db", "again.db"))
    make_tables()
    return rebuild(stored_objects(), lambda _: None)


def damage(reference: str, number: int, name: str) -> None:
    found = inventory_of(reference)
    store().overwrite_bytes(b"{", ocfl.content_key(reference, found, found.versions[number - 1].state[name]))


def test_damaged_skeleton_and_lost_inventory_block_no_other_archive(configure: Configure) -> None:
    """The history of the damaged archive restores its state and its deliveries."""
    receipt_ids = [run(f"process-{number}", sample_body(f"process-{number}")) for number in range(3)]
    before = rows()
    damage("process-0", 1, "skeleton.json")
    (settings().data_dir / "store" / ocfl.object_key("process-1") / "inventory.json").unlink()

    rebuilt = rebuilt_in_new_database(configure)

    assert (rebuilt.archives, [key for key, _ in rebuilt.damaged]) == (2, [f"{ocfl.object_key('process-0')}/v1"])
    assert [each.fault for each in missing({ocfl.object_key(f"process-{each}") for each in range(3)}).findings] == []
    assert all(rows()[name] == before[name] for name in ("receipt", "delivery", "run", "notification"))
    found = archive_of("process-0")
    assert (found.state, found.versions) == ("completed", [])

    with suppress(Refused):
        asyncio.run(process_archive("process-0", received("process-0", sample_body("process-0")).receipt_id))
    assert receipt_ids[0] in str(rows()["version"])


@pytest.mark.usefixtures("store_kind")
@pytest.mark.parametrize(
    ("store_kind", "number", "name"),
    [("bucket", 1, "cuts.json"), ("folder", 2, "skeleton.json")],
    indirect=["store_kind"],
)
def test_damaged_version_is_named_and_the_other_versions_are_rebuilt(
    configure: Configure, number: int, name: str
) -> None:
    run("process-1", body_at("2026-01-01T00:00:00Z"))
    run("process-1", body_at("2026-02-01T00:00:00Z", data=[], attachments=[]))
    run("process-1", body_at("2026-03-01T00:00:00Z", signatures=[]))
    before = rows()
    damage("process-1", number, name)

    rebuilt = rebuilt_in_new_database(configure)

    after = rows()
    assert rebuilt.archives == 1
    assert [key for key, _ in rebuilt.damaged] == [f"{ocfl.object_key('process-1')}/v{number}"]
    assert [each for each in before["version"] if f"'version': {number}," not in each] == after["version"]
    for table in ("receipt", "delivery", "run", "notification", "notification_attempt", "archive", "payment"):
        assert after[table] == before[table], table


def test_damaged_delivery_is_named_and_its_version_is_rebuilt(configure: Configure) -> None:
    archived("process-1", body_at("2026-01-01T00:00:00Z"))
    receipt_id = archived("process-1", body_at("2026-02-01T00:00:00Z"))
    folder = f"{ocfl.object_key('process-1')}/logs/receipts/{receipt_id}"
    store().overwrite_bytes(b"{", f"{folder}/receipt.json")

    rebuilt = rebuilt_in_new_database(configure)

    assert (rebuilt.archives, [key for key, _ in rebuilt.damaged]) == (1, [folder])
    assert len(rows()["version"]) == 1
    assert len(rows()["receipt"]) == len(rows()["delivery"]) == 2


def test_version_without_history_that_has_lost_a_file_is_named(configure: Configure) -> None:
    archived("process-1", sample_body("process-1"))
    archived("process-2", sample_body("process-2"))
    lost = [path for path in object_of("process-1").sizes if path.startswith(("logs/history/", "v1/content/files/"))]
    for path in lost:
        (settings().data_dir / "store" / ocfl.object_key("process-1") / path).unlink()

    rebuilt = rebuilt_in_new_database(configure)

    assert (rebuilt.archives, [key for key, _ in rebuilt.damaged]) == (1, [f"{ocfl.object_key('process-1')}/v1"])


@pytest.mark.parametrize("has_history", [True, False])
def test_incomplete_receipt_is_awaited_after_a_rebuild(configure: Configure, has_history: bool) -> None:
    """Its run was killed after it wrote the version or the delivery; the inbox has the body."""
    archived("process-1", sample_body("process-1"))
    again = received("process-1", json.dumps(json.loads(sample_body("process-1")), indent=1).encode())
    persist("process-1", again.receipt_id)
    if has_history:
        history.keep("process-1", again.receipt_id)
    new = received("process-2", sample_body("process-2"))
    persist("process-2", new.receipt_id)

    assert in_new_database(configure) == 2

    assert [receipts.get(each.receipt_id).state for each in (again, new)] == ["received"] * 2
