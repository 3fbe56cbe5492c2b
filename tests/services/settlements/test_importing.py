"""Settlement imports, on both databases: each row counts once, in any order."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlmodel import func, select

from adapters.database.connections import engine
from adapters.database.transactions import reading
from adapters.settings.settings import settings
from adapters.store.seals import fingerprint
from adapters.store.settlement_reports import staged
from adapters.tables.settlements import (
    Candidates,
    entries_concerned,
    insert_entries,
    is_settled,
    matching_alone,
    unmatched_entries,
    update_decisions,
)
from domain.settlements.matching import MAY_BE_SETTLED, decide
from models.discrepancies import DiscrepancyCode as C
from models.errors import Refused
from models.payments import PaymentRow, Standing
from models.settlements.settlement import DecidedEntry, Decision, Match, SettlementReportRow
from services.settlements import importing
from services.views import settlement_list
from tests.conftest import LONGEST_S, Configure, make_tables, url_of
from tests.domain.settled import day
from tests.installations import installed
from tests.records import all_of
from tests.settlements import (
    COLUMNS,
    FORM,
    NOW,
    covering,
    days_later,
    emptied,
    everything,
    forgotten,
    imported,
    line,
    matches,
    paid,
    report,
    reported,
    rows,
    unpaid,
)

KINDS = (("c", "charge"), ("r", "refund"))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Set up an installation for all tests of this file, on each kind of database."""
    values = {"database_url": new_database(request)} if request.param == "postgres" else {}
    with installed(tmp_path_factory.mktemp("settlements"), **values):
        make_tables()
        yield str(request.param)


@pytest.fixture
def empty(migrated: str) -> str:
    emptied()
    return migrated


def new_database(request: pytest.FixtureRequest) -> str:
    server: str = request.getfixturevalue("postgres_server")
    name = f"settlements_{time.monotonic_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url_of(server, name)


@pytest.mark.usefixtures("empty")
def test_rows_are_matched_and_differences_are_reported_once() -> None:
    paid("by cguid", "c1")
    paid("by authorisation", auth="0123456")
    paid("differs", "c2")
    paid("twice", "c3")
    paid("again", "c3")
    paid("missed")
    rows_of_it = report(
        line("c1"),
        line(auth="0123456", card="1234", paid=day(1)),
        line("c2", amount="20.00"),
        line("c3", amount="21.01"),
        line("unknown", amount="7.00"),
    )

    summary = imported(rows_of_it)

    assert reported() == [
        (None, C.AMBIGUOUS_MATCH),
        (None, C.MISSING_IN_ARCHIVE),
        ("again", C.MISSING_IN_SETTLEMENT),
        ("differs", C.SETTLED_AMOUNT_MISMATCH),
        ("missed", C.MISSING_IN_SETTLEMENT),
        ("twice", C.MISSING_IN_SETTLEMENT),
    ]
    assert matches() == [
        ("ambiguous", None),
        ("authorisation", "payment of by authorisation"),
        ("cguid", "payment of by cguid"),
        ("cguid", "payment of differs"),
        ("none", None),
    ]
    assert (summary.entries, summary.new, summary.matched, len(summary.findings)) == (5, 5, 3, 6)
    (total,) = summary.totals
    assert (total.settled_on, total.currency, total.charged_minor, total.unmatched) == (day(2), "ILS", 9001, 2)

    before = everything()
    assert imported(rows_of_it, now=days_later(1)) == replace(summary, new=0)
    assert everything() == before
    assert [each["imported_at"] for each in rows(SettlementReportRow)] == [NOW]
    assert imported(report(line("c1"), line("more"))).new == 1
    assert ("by cguid", C.SETTLED_AMOUNT_MISMATCH) not in reported()


@pytest.mark.usefixtures("empty")
def test_preview_shows_the_result_of_an_import_and_changes_nothing() -> None:
    paid("r", "c1")
    paid("missed")
    reports = (report(line("c1", amount="20.00"), line("c2")), report(line("c1", amount="1.00"), line("c2")))
    before, files = everything(), kept_files()

    shown = imported(*reports, preview=True)

    assert everything() == before
    assert kept_files() == files
    assert imported(*reports) == shown


def kept_files() -> set[Path]:
    return {path for path in Path(settings().store_location).rglob("*") if path.is_file()}


@pytest.mark.usefixtures("empty")
def test_next_match_or_night_completes_a_match_that_was_killed_before_reconciling() -> None:
    imported(report(line("c1")))
    paid("r", "c1", amount_minor=1900)
    matched = Decision(Match.CGUID, "r", "payment of r")
    with matching_alone() as session:
        (before,) = unmatched_entries(session)
        update_decisions(session, [DecidedEntry(before.entry, matched)])
    assert reported() == [(None, C.MISSING_IN_ARCHIVE)]

    importing.rematch("r", NOW)
    assert reported() == [("r", C.SETTLED_AMOUNT_MISMATCH)]

    with matching_alone() as session:
        update_decisions(session, [DecidedEntry(before.entry, Decision(Match.NONE))])
    unpaid("r")
    importing.reconcile_all_archives(NOW)
    assert reported() == [(None, C.MISSING_IN_ARCHIVE)]


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("killed_at", "next_is"),
    [("match", "the same import"), ("match", "another import"), ("match", "the night"), ("judge", "the night")],
)
def test_killed_import_is_completed_by_the_next_import_or_night(killed_at: str, next_is: str) -> None:
    paid("r", "c1")
    paid("s", "c3")
    another = report(line("c4", paid=day(0)))
    imported(another)
    assert ("s", C.MISSING_IN_SETTLEMENT) in reported()
    rows_of_it = report(line("c1", amount="20.00"), line("c2"), line("c3"))
    imported(rows_of_it)
    undisturbed = everything()
    shutil.rmtree(Path(settings().store_location))
    forgotten()
    imported(another)

    def killed(what: str, _done: int, _total: int) -> None:
        if what == killed_at:
            raise KeyboardInterrupt

    with staged(rows_of_it, FORM) as made, pytest.raises(KeyboardInterrupt):
        importing.import_reports([made], NOW, killed)
    assert everything() != undisturbed

    if next_is == "the night":
        importing.reconcile_all_archives(NOW)
    else:
        imported(rows_of_it if next_is == "the same import" else another)

    assert everything() == undisturbed


@pytest.mark.usefixtures("empty")
def test_archive_that_arrives_during_an_import_is_matched() -> None:
    arriving, matched = threading.Event(), threading.Event()

    def arrive() -> None:
        arriving.set()
        paid("r", "c1")
        importing.rematch("r", NOW)
        matched.set()

    archive = threading.Thread(target=arrive)
    with staged(report(line("c1")), FORM) as made:
        (entry,) = made.rows()
        with matching_alone() as session:
            decided = decide(entry, Candidates(session, [entry]).of(entry), FORM.terms)
            archive.start()
            assert arriving.wait(LONGEST_S)
            assert not matched.wait(0.2)  # it would miss the row, and we have missed its payment
            insert_entries(session, made.report_id, [DecidedEntry(entry, decided)])
    archive.join(LONGEST_S)

    assert matches() == [("cguid", "payment of r")]


@contextmanager
def before_statements(act: Callable[[str], None]) -> Iterator[None]:
    """Call a function with each statement before the database gets it, until the end of the block."""

    def told(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        act(statement)

    event.listen(engine(), "before_cursor_execute", told)
    try:
        yield
    finally:
        event.remove(engine(), "before_cursor_execute", told)


def test_archive_absent_from_all_reports_costs_one_query_and_no_lock(empty: str) -> None:
    paid("r", "c1")
    paid("s", "c1")
    imported(report(line("c1"), line("c2")), now=days_later(-90))
    unpaid("nothing paid")
    paid("unknown", "c9", auth="9", paid_on=day(200))

    for reference in ("nothing paid", "unknown"):
        asked = list[str]()
        with before_statements(asked.append):
            importing.rematch(reference, NOW)

        asked = [each for each in asked if not each.startswith("BEGIN")]
        if empty == "postgres":
            assert "lock_shared" in asked.pop(0)
        (query,) = asked
        assert query.startswith("SELECT")
        assert "lock" not in query


@pytest.mark.usefixtures("empty")
def test_rematch_reads_only_entries_that_may_concern_the_archive() -> None:
    for reference, cguid in (("r", "c1"), ("s", "c1"), ("t", "c1"), ("u", "c2"), ("v", "c2"), ("w", "c3")):
        paid(reference, cguid)
    imported(report(line("c1"), line("c2"), line("c3"), line("c4")))
    paid("r", "c4")
    unpaid("w")

    def concerned(reference: str) -> list[str]:
        with matching_alone() as session:
            return sorted(str(each.entry.cguid_fingerprint) for each in entries_concerned(session, reference))

    def of(*cguids: str) -> list[str]:
        return sorted(map(fingerprint, cguids))

    assert [concerned(each) for each in "rsuwx"] == [of("c1", "c4"), of("c1"), of("c2"), of("c3"), []]
    importing.rematch("r", NOW)
    assert concerned("r") == of("c4")  # c1 no longer concerns it


@pytest.mark.usefixtures("empty")
def test_archives_that_shared_a_row_are_reconciled_after_a_killed_run() -> None:
    paid("r", "c1")
    paid("s", "c1")
    imported(report(line("c1")))
    assert ("s", C.MISSING_IN_SETTLEMENT) in reported()
    unpaid("r")

    def die(statement: str) -> None:
        if statement.startswith("INSERT INTO discrepancy_event"):
            raise KeyboardInterrupt

    with before_statements(die), pytest.raises(KeyboardInterrupt):
        importing.rematch("r", NOW)
    assert (matches(), len(reported())) == ([("cguid", "payment of s")], 3)

    importing.rematch("r", NOW)
    assert reported() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_instalments_minus_fees_and_the_configured_tolerance_settle_a_payment_to_the_agora(
    configure: Configure, tmp_path: Path
) -> None:
    """1,200.00 ILS are paid as 500.00 and twice 350.00, and each row may be short by ten agorot."""
    (tmp_path / "columns.toml").write_text(f"fee_tolerance_minor = 10\n{COLUMNS}")
    configure(settlement_columns="columns.toml")
    for reference, last in (("full", "349.90"), ("short", "349.89")):
        paid(reference, reference, instalments=3, amount_minor=120_000, first_minor=50_000, periodical_minor=35_000)
        cells = (("497.00", "2.90", day(2)), ("347.40", "2.50", day(30)), (last, "", day(58)))
        parts = enumerate(cells, 1)
        imported(report(*(line(reference, amount=a, fee=b, settled=c, part=f"{each}/3") for each, (a, b, c) in parts)))

    assert reported() == [("short", C.SETTLED_AMOUNT_MISMATCH)]
    assert set(all_of(select(PaymentRow.reference).where(is_settled()))) == {"full", "short"}


@pytest.mark.usefixtures("empty")
def test_overdue_payment_is_reported_when_all_archives_are_reconciled() -> None:
    paid("r", paid_on=day(5))
    imported(report(*covering(day(0), day(10))), now=days_later(-60))
    assert ("r", C.MISSING_IN_SETTLEMENT) not in reported()

    importing.reconcile_all_archives(NOW)

    assert ("r", C.MISSING_IN_SETTLEMENT) in reported()


@pytest.mark.usefixtures("empty")
def test_payment_is_settled_if_its_standing_permits_and_a_charge_matches() -> None:
    for standing in Standing:
        paid(standing, f"c {standing}", standing=standing)
        paid(f"{standing} refunded", f"r {standing}", standing=standing)
    imported(
        report(*(line(f"c {each}") for each in Standing), *(line(f"r {each}", kind="refund") for each in Standing))
    )

    with reading() as session:
        settled = session.exec(select(PaymentRow.reference).where(is_settled())).all()
        held = session.exec(select(func.count()).select_from(PaymentRow).where(PaymentRow.standing == Standing.HELD))
        assert held.one() == 2  # the standing in the payload is unchanged

    assert set(settled) == {*MAY_BE_SETTLED} == {"charged", "held", "unknown"}


@pytest.mark.usefixtures("sqlite_installation")
def test_report_without_rows_is_refused() -> None:
    with pytest.raises(Refused, match="NO_ROWS"):
        imported(report())


@pytest.mark.usefixtures("empty")
def test_unmatched_rows_stand_beside_the_nearest_payments() -> None:
    """Those that share its id first; else up to three of its days with its card or amount, which have no charge yet."""
    paid("settled", "c1")
    for reference, values in (
        ("card", {"amount_minor": 9}),
        ("amount", {"card_last4": "9"}),
        ("both", {}),
        ("no", {"paid_on": day(3)}),
        ("without a card", {"amount_minor": 8, "card_last4": None}),
    ):
        paid(reference, reference, **values)
    paid("failed", "c5", standing=Standing.FAILED, amount_minor=7, card_last4="7")
    lines = [
        line("c1"),
        line("x", card="1234"),
        line("c5", paid=day(1), amount="0.07", card="7777"),
        line("y", kind="refund", currency="EUR"),
        line("z", paid="", amount="0.09"),
    ]
    imported(report(*lines))

    (taken,), following = settlement_list.reports()
    found, more = settlement_list.unmatched(taken.row.report_id)

    assert (taken.unmatched, taken.come, following, more) == (4, None, None, None)
    assert [[(near.reference, differs) for near, differs in beside] for _, beside in found] == [
        [("both", ["cguid"]), ("card", ["cguid", "amount"]), ("amount", ["cguid", "card"])],
        [("failed", ["card", "day", "standing"])],
        [],
        [("card", ["cguid"])],
    ]
