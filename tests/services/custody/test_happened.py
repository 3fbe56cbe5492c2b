"""What happened is in the store as it happens, and rows that are changed or removed in the database alone are found."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import col, delete, select, update

from adapters.database.connections import engine
from adapters.database.noted import note
from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.inbox import session_events
from adapters.settings.settings import Settings, settings
from adapters.store import happened, lines, tombstones
from adapters.store.lines import Erased
from adapters.tables.completeness import missing_processes
from adapters.tables.people import saved_views
from adapters.tables.runs import receipts
from models.access import CELLAR, AccessRow, Action
from models.completeness.processes import SessionEventType
from models.erasures import TombstoneRow
from models.people import ActionKind, SavedViewRow
from models.runs.batch import BatchKind
from models.store.fixity import Fault
from models.store.happened import NotedRow
from models.views.archives.archives import ArchiveFilter
from models.views.archives.holds import Holding
from models.views.parameters import Dismissal
from services import holds
from services.access import links
from services.access.log import record
from services.anchors.anchors import hold
from services.anchors.making import make
from services.batches import batches
from services.completeness import finding_missing
from services.completeness.session_events import take_in
from services.custody.happened import restore_happened
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.custody.verifying_records import verify_beside
from services.people import actions
from tests.insider.installation import BEGAN, fill_first_week, reference_of
from tests.prepared import Prepared
from tests.records import all_of, buried, change
from tests.session_events import NOON, body, journaled
from tests.settlements import imported, line, report

LATER = NOON + timedelta(hours=2)
EXPLAINED = reference_of(1)


def fill() -> None:
    """Let happen what people and cellar itself do, with archives and without."""
    fill_first_week(4)
    imported(report(line("one")))
    imported(report(line("two")))
    actions.record([EXPLAINED, reference_of(2)], ActionKind.EXPORT, "Dana", BEGAN)
    saved_views.save(SavedViewRow(view_id="1", name="Leases", query="q=1", saved_by="Dana", saved_at=BEGAN))
    holds.put(ArchiveFilter(reference=EXPLAINED), Holding(reason="a claim"), "Dana", BEGAN)
    batches.plan(BatchKind.RERUN, ArchiveFilter(), "Dana")
    for number, name in enumerate(("lost", "known"), 1):
        journaled([body(SessionEventType.FORM_SUBMITTED, name, number)], NOON + timedelta(seconds=number))
        take_in(session_events.batches())
    finding_missing.find_missing(LATER)
    (known,) = (each.missing_id for each in missing_processes.nearest_open(9) if each.reference == "known")
    finding_missing.dismiss(known, Dismissal(by="Dana", why="on paper"), LATER)
    for reference in (EXPLAINED, reference_of(2)):
        record(CELLAR, Action.READ_ARCHIVE, reference=reference)
    happened.keep_all()


@pytest.fixture
def _filled(sqlite_installation: Settings, prepared: Prepared) -> None:
    prepared.copy(fill)


def found() -> Counter[str]:
    """Return the keys of what differs between the store and the database, with its number of findings."""
    findings = (*verify_beside().findings, *verify_object(object_of(EXPLAINED)).findings)
    assert {each.fault for each in findings} <= {Fault.DIFFERS, Fault.MISSING}
    return Counter(each.key for each in findings)


def every(table: Any, *which: Any) -> list[Any]:
    return all_of(select(table).where(*which))


@pytest.mark.usefixtures("_filled")
def test_row_that_was_put_in_is_found_and_a_row_that_waits_for_the_store_is_right() -> None:
    view: dict[str, Any] = {"name": "Loans", "query": "", "saved_by": "Dana", "saved_at": BEGAN}
    saved_views.save(SavedViewRow(view_id="noted", **view))
    assert found() == Counter()
    change(delete(NotedRow))
    assert found() == Counter(["happened/saved_view/noted"])


@pytest.mark.usefixtures("_filled")
def test_last_rows_of_the_access_log_are_held_by_the_store() -> None:
    """No anchor has them yet."""
    last = every(AccessRow)[-1]
    without_triggers("DELETE FROM access WHERE number = 2")

    assert found() == Counter([f"access/{last.chain}/2"])


def without_triggers(statement: str) -> None:
    """Change the access log as somebody does who may change the database's triggers."""
    with closing(sqlite3.connect(settings().data_dir / "cellar.db", isolation_level=None)) as connection:
        for name in ("access_unchanged", "access_kept"):
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)


@pytest.mark.usefixtures("_filled")
def test_anchor_names_session_events_what_happened_and_revoked_links() -> None:
    receipt_id = str(receipts.current_receipt_id(EXPLAINED))
    links.revoke(receipt_id, "Dana", "sent to somebody else", LATER)
    root = make(datetime.now(UTC)).anchor.root
    assert hold(root).findings == ()
    removed = [f"links/{receipt_id}.json", _first("events"), _first("happened")]
    for key in removed:
        store().remove(key)

    folders = {key.rpartition("/")[0] for key in removed}
    assert {each.key for each in hold(root).findings} == folders
    assert hold(root, [EXPLAINED]).findings == ()


def _first(folder: str) -> str:
    return next(key for key, _ in store().listed(folder))


@pytest.mark.usefixtures("_filled")
def test_damaged_file_is_found() -> None:
    (key, *_) = [key for keys in happened.days(happened.FOLDER) for key in keys]
    store().overwrite_bytes(store().read_bytes(key).replace(b"T", b"t", 1), key)

    assert (Fault.DAMAGED, key) in {(each.fault, each.key) for each in verify_beside().findings}


@pytest.mark.usefixtures("_filled")
def test_what_happens_while_the_store_is_away_waits_for_it() -> None:
    place, away = Path(settings().store_location), settings().data_dir / "away"
    place.rename(away)
    place.mkdir()
    actions.record([EXPLAINED], ActionKind.EXPORT, "Dana", LATER)
    assert ([*place.iterdir()], len(every(NotedRow))) == ([], 1)
    place.rmdir()
    away.rename(place)

    happened.keep()

    assert (every(NotedRow), found()) == ([], Counter())


@pytest.mark.usefixtures("_filled")
def test_line_that_is_erased_before_a_late_writer_has_written_it_does_not_come_back() -> None:
    digest = buried("r")
    happened.keep()
    view: dict[str, Any] = {"query": "", "saved_by": "Dana", "saved_at": BEGAN}
    for name in ("erased", "kept"):
        saved_views.save(SavedViewRow(view_id=name, name=name, **view))
    notes = {each.row["name"]: each for each in every(NotedRow)}

    def erase(*about: Any) -> None:
        if about[2].startswith("SELECT noted") and (its := notes.pop("erased", None)):
            line_digest = lines.digest_of(json.dumps([its.at.isoformat(), its.of, its.row]).encode())
            tombstones.add_lines(digest, [lines.kept_digest(line_digest)])
            change(delete(NotedRow).where(col(NotedRow.id) == its.id))

    event.listen(engine(), "after_cursor_execute", erase)
    happened.keep()

    written = [line.row for keys in happened.days(happened.FOLDER) for key in keys for line in happened.lines_in(key)]
    assert [each["name"] for each in written if each.get("name") in ("erased", "kept")] == ["kept"]


@pytest.mark.usefixtures("_filled")
def test_tombstone_keeps_its_end_and_its_lines_although_a_clock_is_set_back() -> None:
    digest = buried("r")
    happened.keep()
    tombstones.add_lines(digest, ["a"])
    change(update(TombstoneRow).values(ended_at=LATER))
    with writing() as session:
        note(session, TombstoneRow)
    change(update(NotedRow).values(at=BEGAN))
    happened.keep()
    assert happened.erased() == Erased({digest: True}, {"a": True})
    assert found() == Counter()

    change(delete(TombstoneRow))
    damaged = list[tuple[str, str]]()
    restore_happened(damaged.append, happened.erased())

    assert (damaged, found()) == ([], Counter())
