"""A list is compared with the archives of the database, and its missing processes become findings."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from adapters.database.transactions import reading, writing
from adapters.settings.settings import Settings
from adapters.tables import receipts
from models.archive.archive import ArchiveRow
from models.completeness.listed import DifferenceKind as K
from models.completeness.missing_process import Closing, MissingProcessRow, Why
from models.completeness.session_event import SessionEventRow, SessionEventType
from models.errors import Refused
from models.runs.receipt import Delivery
from services.completeness.reconciling import Reconciled, reconcile_list
from tests.lists import DESTINATION, HEADS, local, workbook
from tests.records import NOON, archived, digest

CREATED = local(2026, 1, 1, 9)
NOW = NOON + timedelta(hours=3)


def written(file: Path, *rows: tuple[object, ...], heads: tuple[str, ...] = HEADS) -> Path:
    return workbook(file, [heads, *rows])


def listed(number: int, created: datetime = CREATED) -> tuple[object, ...]:
    return number, created, "Loans", DESTINATION


def arrived(reference: str, number: int, transaction: int = 30, *, source: str = "default") -> None:
    archived(reference, process_number=number, transaction_number=transaction, created_at="2026-01-01T09:00:00")
    with writing() as session:
        session.get_one(ArchiveRow, reference).source = source


def reconciled(file: Path, source: str | None = None, *, now: datetime = NOW, dry_run: bool = False) -> Reconciled:
    return reconcile_list(file, source, now, lambda _: None, dry_run=dry_run)


def findings() -> list[MissingProcessRow]:
    with reading() as session:
        return list(session.exec(select(MissingProcessRow).order_by(col(MissingProcessRow.process_number))))


def kinds(done: Reconciled) -> list[tuple[K, int | None]]:
    return [(each.kind, each.process_number) for each in done.compared.differences]


@pytest.fixture
def file(installation: Settings, tmp_path: Path) -> Path:
    return tmp_path / "processes.xlsx"


def test_missing_process_becomes_a_finding_with_its_deadline(file: Path) -> None:
    arrived("r", 100)
    done = reconciled(written(file, listed(100), listed(101)))
    (finding,) = findings()
    assert (kinds(done), done.new_findings, done.is_well) == ([(K.MISSING, 101)], 1, False)
    assert (finding.process_number, finding.why, finding.source) == (101, Why.LISTED, "default")
    assert finding.since == NOON - timedelta(hours=3)
    assert finding.deadline_at == finding.since + timedelta(hours=48)
    assert done.compared.differences[0].missing_id == finding.missing_id


def test_same_list_again_changes_nothing(file: Path) -> None:
    written(file, listed(101), listed(102, local(2025, 12, 1)))
    first, before = reconciled(file), findings()
    second = reconciled(file, now=NOW + timedelta(hours=1))
    assert findings() == before
    assert (first.new_findings, second.new_findings) == (2, 0)
    assert second.compared == first.compared


def test_dry_run_records_nothing_and_shows_the_same(file: Path) -> None:
    written(file, listed(101))
    shown = reconciled(file, dry_run=True)
    assert findings() == []
    assert shown == reconciled(file)


def test_finding_closes_when_the_archive_has_arrived(file: Path) -> None:
    reconciled(written(file, listed(101), listed(102)))
    arrived("r", 101)
    done = reconciled(file, now=NOW + timedelta(hours=1))
    closed, still_open = findings()
    assert (closed.closed_why, closed.closed_at) == (Closing.ARCHIVED, NOW + timedelta(hours=1))
    assert (still_open.closed_at, kinds(done)) == (None, [(K.MISSING, 102)])


def test_archive_that_has_arrived_and_is_not_processed_yet_is_not_missing(file: Path) -> None:
    receipts.register(Delivery("d", digest("x"), "r", NOON, 10, {}, process_number=101))
    assert kinds(reconciled(written(file, listed(101)))) == []


def test_process_that_its_events_show_to_be_missing_is_no_second_finding(file: Path) -> None:
    known = MissingProcessRow(
        missing_id="by-its-events",
        source="loans",
        reference="r",
        process_number=101,
        transaction_number=7,
        why=Why.SUBMITTED,
        since=NOON,
        deadline_at=NOON + timedelta(hours=48),
        opened_at=NOON,
    )
    with writing() as session:
        session.add(known)
    done = reconciled(written(file, listed(101)))
    (found,) = done.compared.differences
    assert [each.missing_id for each in findings()] == ["by-its-events"]
    assert (found.missing_id, found.deadline_at, done.new_findings) == ("by-its-events", known.deadline_at, 0)


def test_process_that_a_person_has_dismissed_is_no_difference(file: Path) -> None:
    reconciled(written(file, listed(101)))
    with writing() as session:
        finding = session.exec(select(MissingProcessRow)).one()
        finding.closed_at, finding.closed_why, finding.closed_by = NOW, Closing.DISMISSED, "someone"
    done = reconciled(file)
    assert (kinds(done), done.dismissed, done.is_well) == ([], 1, True)


def test_session_events_say_that_a_process_is_open(file: Path) -> None:
    event = SessionEventRow(
        event_id=digest("e"),
        source="default",
        type=SessionEventType.CREATED,
        is_known=True,
        process_number=101,
        received_at=NOON,
    )
    with writing() as session:
        session.add(event)
    done = reconciled(written(file, listed(101)))
    assert (kinds(done), done.compared.not_due) == ([], 1)


def test_archive_that_the_list_lacks_is_unknown_there(file: Path) -> None:
    arrived("r", 100)
    arrived("s", 105)
    assert kinds(reconciled(written(file, listed(100)))) == [(K.UNKNOWN_THERE, 105)]


def test_list_of_a_source_is_compared_with_its_archives_alone(file: Path) -> None:
    arrived("r", 100, source="loans")
    arrived("s", 101, source="cards")
    written(file, listed(100), listed(101))
    assert kinds(reconciled(file)) == []
    assert kinds(reconciled(file, "loans")) == [(K.MISSING, 101)]
    assert [each.source for each in findings()] == ["loans"]


def test_transactions_tell_processes_apart(file: Path) -> None:
    arrived("r", 100, 30)
    heads = ("#", "Created", "Transaction number")
    written(file, (100, CREATED, 30), (100, CREATED, 31), heads=heads)
    done = reconciled(file)
    assert [(each.kind, each.transaction_number) for each in done.compared.differences] == [(K.MISSING, 31)]
    arrived("s", 100, 31)
    assert reconciled(file, now=NOW + timedelta(hours=1)).is_well
    assert [each.closed_why for each in findings()] == [Closing.ARCHIVED]


def test_wrong_file_records_nothing(file: Path) -> None:
    with pytest.raises(Refused, match="MISSING_COLUMN"):
        reconciled(workbook(file, [("Name",), ("x",)]))
    assert findings() == []


def test_unread_row_is_named_and_the_others_count(file: Path) -> None:
    done = reconciled(written(file, listed(101), ("?", CREATED, "", DESTINATION)))
    assert (kinds(done), done.read.unread_count, [each.process_number for each in findings()]) == (
        [(K.MISSING, 101)],
        1,
        [101],
    )
    assert DESTINATION not in repr(done) + repr(findings())


def test_columns_of_the_settings_are_read(file: Path, configure: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "columns.toml").write_text(
        'timezone = "Asia/Jerusalem"\n[columns]\nprocess_number = "Nr"\ncreated = "Start"\n'
    )
    configure(list_columns="columns.toml")
    arrived("r", 100)
    assert reconciled(workbook(file, [("Nr", "Start"), (100, local(2026, 1, 1, 11))])).is_well
