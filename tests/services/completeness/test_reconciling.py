"""A list is compared with the archives of the database, and its missing processes become findings."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, delete, select, update

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables.runs import receipts
from models.archive.archive import ArchiveRow
from models.archive.session import SessionRow
from models.completeness.listed import DifferenceKind as K
from models.completeness.processes import Closing, MissingProcessRow, SessionEventRow, SessionEventType, Why
from models.errors import Refused
from models.messages.notification import EventRow
from models.runs.receipt import Delivery, DeliveryRow
from services.completeness.finding_missing import announce_missing, find_missing
from services.completeness.reconciling import Reconciled, reconcile_list
from tests.conftest import Configure
from tests.lists import DESTINATION, HEADS, local, workbook
from tests.messages import SECRET
from tests.records import NOON, all_of, archived, buried, change, digest, put
from tests.reported_events import DELETED, SUBMITTED, archived_at, event, reported

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
        session.execute(update(DeliveryRow).where(col(DeliveryRow.reference) == reference).values(source=source))


def reconciled(file: Path, source: str | None = None, *, now: datetime = NOW, dry_run: bool = False) -> Reconciled:
    return reconcile_list(file, source, now, lambda _: None, dry_run=dry_run)


def findings() -> list[MissingProcessRow]:
    return list(all_of(select(MissingProcessRow).order_by(col(MissingProcessRow.process_number))))


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


def test_finding_closes_in_the_next_search_when_the_archive_has_arrived(file: Path) -> None:
    reconciled(written(file, listed(101), listed(102)))
    arrived("r", 101)
    find_missing(NOW + timedelta(hours=1))
    done = reconciled(file, now=NOW + timedelta(hours=1))
    closed, still_open = findings()
    assert (closed.closed_why, closed.closed_at) == (Closing.ARCHIVED, NOW + timedelta(hours=1))
    assert (still_open.closed_at, kinds(done)) == (None, [(K.MISSING, 102)])


def test_finding_of_a_list_of_all_sources_is_closed_by_the_next_search(file: Path) -> None:
    reconciled(written(file, listed(101), listed(102)))
    arrived("r", 101, source="leasing")
    assert find_missing(NOW + timedelta(hours=1)).closed[Closing.ARCHIVED] == 1
    assert [each.closed_why for each in findings()] == [Closing.ARCHIVED, None]


def test_finding_of_a_list_without_process_numbers_is_closed_by_the_next_search(file: Path) -> None:
    reconciled(written(file, listed(30), listed(31), heads=("Transaction number", *HEADS[1:])))
    arrived("r", 101, 30)
    assert find_missing(NOW + timedelta(hours=1)).closed[Closing.ARCHIVED] == 1
    assert sorted((each.transaction_number, each.closed_why) for each in findings()) == [(30, "archived"), (31, None)]


def test_archive_that_has_arrived_and_is_not_processed_yet_is_not_missing(file: Path) -> None:
    receipts.register_all([Delivery("d", digest("x"), "r", NOON, 10, {}, process_number=101)])
    assert kinds(reconciled(written(file, listed(101)))) == []


def test_process_whose_archive_was_erased_is_not_missing(file: Path) -> None:
    arrived("erased", 101)
    buried("erased")
    for table in (SessionRow, ArchiveRow):
        change(delete(table).where(col(table.reference) == "erased"))

    assert kinds(reconciled(written(file, listed(101), listed(102)))) == [(K.MISSING, 102)]


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
    put(known)
    done = reconciled(written(file, listed(101)))
    (found,) = done.compared.differences
    assert [each.missing_id for each in findings()] == ["by-its-events"]
    assert (found.missing_id, found.deadline_at, done.new_findings) == ("by-its-events", known.deadline_at, 0)


@pytest.mark.parametrize("source", ["default", "loans"])
def test_process_of_a_list_that_its_events_show_later_keeps_its_finding(file: Path, source: str) -> None:
    """The list names no source, so the finding has that of the events from then on."""
    reconciled(written(file, listed(101)))
    reported(event(SUBMITTED, NOON, "r", source=source, process_number=101))
    assert find_missing(NOW).opened == 0
    (found,) = findings()
    assert (found.why, found.source, found.reference, found.since) == (Why.SUBMITTED, source, "r", NOON)
    assert reconciled(file).compared.differences[0].missing_id == found.missing_id
    archived_at(NOW, "r", process_number=101)
    with writing() as session:
        session.exec(select(DeliveryRow)).one().source = source
        session.get_one(ArchiveRow, "r").source = source
    find_missing(NOW)
    assert [each.closed_why for each in findings()] == [Closing.ARCHIVED]


def test_finding_of_a_list_is_about_one_process_alone(file: Path) -> None:
    reconciled(written(file, listed(101)))
    for source in ("cards", "loans"):
        reported(event(SUBMITTED, NOON, "r", source=source, process_number=101))
    assert find_missing(NOW).opened == 1
    assert sorted(each.source for each in findings()) == ["cards", "loans"]


def test_process_that_is_listed_by_its_transaction_alone_is_found_once_and_closes(file: Path) -> None:
    heads = ("Transaction number", "Created")
    reconciled(written(file, (30, CREATED), (31, CREATED), heads=heads))
    reported(event(SUBMITTED, NOON, "r", process_number=101, transaction_number=30))
    assert find_missing(NOW).opened == 0
    assert {(each.reference, each.transaction_number) for each in findings()} == {(None, 31), ("r", 30)}
    archived_at(NOW, "s", process_number=102, transaction_number=31)
    find_missing(NOW)
    assert {(each.transaction_number, each.closed_why) for each in findings()} == {(31, Closing.ARCHIVED), (30, None)}


def test_process_that_is_still_listed_after_its_deadline_is_found_again(file: Path) -> None:
    reported(event(SUBMITTED, NOON - timedelta(hours=72), "r", process_number=101))
    find_missing(NOW)
    assert [each.closed_why for each in findings()] == [Closing.DELETED]
    assert reconciled(written(file, listed(101))).new_findings == 1
    later = NOW + timedelta(hours=13)
    reported(event(DELETED, NOW, "r", process_number=101))
    find_missing(NOW)
    assert [each.closed_why for each in findings() if each.why == Why.LISTED] == [None]
    find_missing(later)
    assert reconciled(file, now=later).new_findings == 1
    of_lists = [each.closed_why for each in findings() if each.why == Why.LISTED]
    assert sorted(of_lists, key=str) == [None, Closing.DELETED]


def test_finding_of_a_list_is_announced_and_alerted_once_each(file: Path, configure: Configure) -> None:
    configure(notify_urls="https://example.com/hook", notify_secret=SECRET)
    reconciled(written(file, listed(101)))
    for hours in (0, 0, 30, 40, 44, 44.5):
        announce_missing(NOW + timedelta(hours=hours))
    bodies = [json.loads(each.body)["data"] for each in all_of(select(EventRow).order_by(col(EventRow.at)))]
    # 42 hours are left when it is found: 3 hours after noon it was over for 6 hours.
    assert [(each["why"], each["process_number"], int(each["hours_left"])) for each in bodies] == [
        ("listed", 101, 42),
        ("listed", 101, 12),
        ("listed", 101, 2),
    ]


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
    put(event)
    done = reconciled(written(file, listed(101)))
    assert (kinds(done), done.compared.not_due) == ([], 1)


def test_list_of_a_source_is_compared_with_its_archives_alone(file: Path) -> None:
    arrived("r", 100, source="loans")
    arrived("s", 101, source="cards")
    written(file, listed(100), listed(101))
    assert kinds(reconciled(file)) == []
    assert kinds(reconciled(file, "loans")) == [(K.MISSING, 101)]
    assert [each.source for each in findings()] == ["loans"]


def test_wrong_file_records_nothing(file: Path) -> None:
    with pytest.raises(Refused, match="MISSING_COLUMN"):
        reconciled(workbook(file, [("Name",), ("x",)]))
    assert findings() == []


def test_columns_of_the_settings_are_read(file: Path, configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "columns.toml").write_text(
        'timezone = "Asia/Jerusalem"\n[columns]\nprocess_number = "Nr"\ncreated = "Start"\n'
    )
    configure(list_columns="columns.toml")
    arrived("r", 100)
    assert reconciled(workbook(file, [("Nr", "Start"), (100, local(2026, 1, 1, 11))])).is_well
