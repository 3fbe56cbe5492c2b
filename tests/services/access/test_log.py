"""The access log: what is recorded, and that nothing is lost or altered unseen."""

from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, delete, insert, select, update

from adapters.database.connections import engine
from adapters.settings.settings import settings
from adapters.store import happened
from adapters.store.tombstones import digest_of as digest_of_reference
from adapters.tables import access
from adapters.tables.archives import archives
from domain.access_log import FIRST, Kept, digest_of
from models.access import AccessRow, Action, Caller, Role, UnsentAccessRow
from models.store.fixity import Fault
from models.views.access import AccessQuery
from services.access import log
from services.access.chains import wrong_access
from services.access.log import record, searched
from services.anchors.anchors import hold
from services.anchors.making import make
from services.views import access_list
from tests.conftest import Configure
from tests.records import all_of, registered

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DANA = Caller("Dana", Role.AUDITOR, None, "192.0.2.7")


@pytest.mark.usefixtures("installation")
def test_rows_of_many_threads_are_one_chain(configure: Configure) -> None:
    with ThreadPoolExecutor(8) as threads:
        asked = [f"process-{number}" for number in range(40)]
        list(threads.map(lambda each: record(DANA, Action.READ_ARCHIVE, reference=each), asked))
    record(
        DANA, Action.LIST_ARCHIVES, outcome="denied", detail={"filters": searched([("q", "משה כהן"), ("cursor", "1")])}
    )

    rows = all_of(select(AccessRow).order_by(col(AccessRow.number)))
    assert {row.reference for row in rows[:40]} == {digest_of_reference(each) for each in asked}
    assert [(row.chain, row.number) for row in rows] == [(rows[0].chain, number) for number in range(1, 42)]
    before = FIRST
    for row in rows:
        assert row.digest == digest_of(before, row.model_dump())
        before = row.digest
    last = rows[-1]
    assert (last.person, last.role, last.action, last.outcome, last.address) == (
        "Dana",
        "auditor",
        "list_archives",
        "denied",
        "192.0.2.7",
    )
    assert list(last.detail["filters"]) == ["q"]
    assert len(last.detail["filters"]["q"]) == 2
    assert "כהן" not in str(last.detail)
    marks = searched([("q", "1234")]), searched([("label", "1234")])
    configure(link_secret="another secret of 32 characters!")
    assert marks[0]["q"] == marks[1]["label"] != searched([("q", "1234")])["q"]


@pytest.mark.usefixtures("installation")
def test_row_names_its_archive_by_a_digest_that_views_resolve_and_by_nothing_while_the_key_is_away(
    configure: Configure,
) -> None:
    """A reference may be any text, and a reason is recorded whole, however long it is."""
    unstorable = "a\0b\ud800" + "c" * 300
    record(DANA, Action.READ_ARCHIVE, reference=unstorable, detail={"name": ["\0"], "why": "d" * 9000})
    registered("here")
    archives.set_digests({"here": digest_of_reference("here")})
    record(DANA, Action.READ_ARCHIVE, reference="here")
    record(DANA, Action.LIST_ARCHIVES)
    configure(seal_keys=b64encode(bytes(64)).decode())
    record(DANA, Action.READ_ARCHIVE, reference="here")
    assert access_list.page(AccessQuery(reference="here")).items == []
    configure(seal_keys="")

    last, listing, here, gone = access_list.page(AccessQuery()).items
    assert (gone.reference, gone.reference_digest) == (None, digest_of_reference(unstorable))
    assert gone.detail == {"name": ["\ufffd"], "why": "d" * 9000}
    assert [(each.reference, each.reference_digest) for each in (last, listing)] == [(None, None)] * 2
    assert (here.reference, here.reference_digest) == ("here", digest_of_reference("here"))
    assert access_list.page(AccessQuery(reference="here")).items == [here]


def _rewritten(row: dict[str, Any], before: str, **changes: object) -> dict[str, Any]:
    changed = row | changes
    return changed | {"digest": digest_of(before, changed)}


def _altered(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> dict[str, tuple[list[dict[str, Any]], set[str]]]:
    """Return the rows after each alteration of the chains `a` and `b`, and the rows that must be found, as `a3`.

    The last row of `a`, and all of chain `c`, came after the anchor.
    """
    forged = [_rewritten(a[2], a[1]["digest"], person="Nobody")]
    for row in a[3:]:
        forged.append(_rewritten(row, forged[-1]["digest"]))
    moved = [row | {"number": row["number"] + 1} for row in a]
    return {
        "changed": ([*a[:2], a[2] | {"person": "Nobody"}, *a[3:], *b], {"a3"}),
        "changed with its digest": ([*a[:2], forged[0], *a[3:], *b], {"a4"}),
        "changed with its whole chain": ([*a[:2], *forged, *b], {"a5"}),
        "removed": ([*a[:2], *a[3:], *b], {"a3"}),
        "first one removed": ([*a[1:], *b], {"a1"}),
        "cut at a row that an anchor has": ([a[5], *b], {"a1"}),
        "last ones removed": ([*a[:3], *b], {"a4"}),
        "chain removed": (a, {"b1"}),
        "all removed": ([], {"a1", "b1"}),
        "exchanged": ([a[0], a[2] | {"number": 2}, a[1] | {"number": 3}, *a[3:], *b], {"a2", "a3", "a4"}),
        "exchanged between chains": ([b[0] | {"chain": a[0]["chain"]}, *a[1:], *b], {"a1", "a2"}),
        "added": ([*a, a[5] | {"number": 7}, *b], {"a7"}),
        "put in": ([a[0], *moved, *b], {f"a{number}" for number in range(2, 8)}),
        "time changed": ([*a[:2], a[2] | {"at": a[2]["at"] - timedelta(hours=1)}, *a[3:], *b], {"a3"}),
    }  # fmt: skip


def _replace_all(rows: list[dict[str, Any]]) -> None:
    """Rewrite the table as somebody does who owns the database."""
    with engine().begin() as connection:
        if engine().dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS access_kept")
        else:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS access_kept ON access")
        connection.execute(delete(AccessRow))
        if rows:
            connection.execute(insert(AccessRow), rows)


def _found(a: str, b: str) -> set[str]:
    names = {a: "a", b: "b"}
    return {
        f"{names.get(chain, chain)}{number}" for _, chain, number in (each.key.split("/") for each in wrong_access())
    }


def _rows() -> list[dict[str, Any]]:
    return [row.model_dump() for row in all_of(select(AccessRow).order_by(col(AccessRow.number)))]


@pytest.mark.usefixtures("installation")
def test_every_altered_row_is_found_and_no_other() -> None:
    for _ in range(3):
        record(DANA, Action.LIST_ARCHIVES)
    b = _rows()
    log._chain.begin()  # what follows is of another process
    for _ in range(5):
        record(DANA, Action.READ_ARCHIVE, reference="process-1", detail={"z": 1, "a": [1.5, "é"]})
    root = make(datetime.now(UTC)).anchor.root
    record(DANA, Action.READ_ARCHIVE, reference="process-1")
    a = [row for row in _rows() if row["chain"] != b[0]["chain"]]
    names = a[0]["chain"], b[0]["chain"]

    assert _found(*names) == set()
    for how, (rows, expected) in _altered(a, b).items():
        _replace_all(rows)
        assert (how, _found(*names)) == (how, expected)

    _replace_all([*a, *b])
    [file] = Path(settings().store_location).rglob("access-log/**/*.jsonl")
    file.unlink()
    day = file.parent.relative_to(settings().store_location).as_posix()
    assert [(each.key, each.fault) for each in hold(root).findings] == [(day, Fault.MISSING)]


@pytest.mark.usefixtures("installation")
def test_no_program_changes_a_row_or_removes_one_within_24_months() -> None:
    record(DANA, Action.READ_ARCHIVE)

    for statement in (update(AccessRow).values(person="Nobody"), delete(AccessRow)):
        with pytest.raises(DBAPIError, match="access is"), engine().begin() as connection:
            connection.execute(statement)


def _chain(name: str, ages_days: Sequence[float], now: datetime) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, age in enumerate(ages_days, 1):
        row = AccessRow(
            chain=name, number=number, at=now - timedelta(days=age), person="Dana", role="auditor", action="unmask",
            outcome="allowed", address="", detail={}, digest="",
        )  # fmt: skip
        rows.append(_rewritten(row.model_dump(), rows[-1]["digest"] if rows else FIRST))
    return rows


def test_last_row_of_a_file_counts_whatever_the_order_in_the_file() -> None:
    rows = [row | {"at": row["at"].isoformat()} for row in _chain("a", [3, 2, 1], NOW)]
    kept = Kept(None)

    assert list(kept.add([rows[1], rows[2], rows[0]], None)) == []
    assert (kept.first, kept.last) == ({"a": 1}, {"a": {3: rows[2]["digest"]}})


def _kept_on(day: datetime) -> None:
    """Write what was noted of the access log into a file of a day."""
    with pytest.MonkeyPatch.context() as then:
        then.setattr(happened, "_day", lambda folder, _: f"{folder}/{day:%Y/%m/%d}")
        happened.keep_all()


@pytest.mark.usefixtures("installation")
def test_rows_leave_when_their_time_is_over_and_what_is_left_is_verified(configure: Configure, tmp_path: Path) -> None:
    """They leave a day later: clocks of machines differ, and the database lets none leave too early."""
    configure(access_kept_days=731, access_log_url=f"file://{tmp_path}/log")
    now = datetime.now(UTC)
    a, b = _chain("a", [800, 750, 730.99, 10], now), _chain("b", [900, 800], now)
    access.add([*a[:2], *b])
    _kept_on(now - timedelta(days=750))
    access.add(a[2:])

    root = make(now + timedelta(hours=1)).anchor.root

    left = _rows()
    assert [(row["chain"], row["number"]) for row in left] == [("a", 3), ("a", 4)]
    assert [(each.chain, each.number) for each in access.unsent(9)] == [("a", 3), ("a", 4)]
    assert len(all_of(select(UnsentAccessRow))) == 2
    assert _found("a", "b") == set()

    access.add([*_chain("c", [3, 2], now), *_chain("d", [0], now)])  # by somebody who says that it was done before
    access.add([_rewritten(left[1] | {"number": 5}, left[1]["digest"])])
    assert _found("a", "b") == {"a5", "c1", "c2"}
    _kept_on(now + timedelta(days=2))
    assert _found("a", "b") == {"a5", "c1", "c2"}
    _replace_all(left[1:])
    assert _found("a", "b") >= {"a3"}
    assert hold(root).findings == ()  # the anchor names a file of the day that has left
