"""An archive is due by the rule of its template or source once its retention has ended, and never while it is held."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select, update

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables.open_conditions import open_conditions
from models.access import CELLAR
from models.archive.archive import ArchiveRow, State
from models.erasures import HoldRow, TombstoneRow
from models.errors import Refused
from models.retention import DueAction
from models.runs.batch import BatchKind
from models.sources import StatedTerms
from models.store.condition import DerivedCode
from models.templates import TemplateWords
from models.views.archives.archives import ArchiveFilter, ArchiveQuery
from models.views.archives.holds import Holding
from models.views.batch import ErasureFilter
from services import derived, holds, sources, templates
from services.batches import batches
from services.views import archive_list, archive_view
from services.views.archive_conditions import conditions_of
from tests.domain.payloads import read
from tests.records import NOON, all_of, archived, change, document, loaded, put, registered
from tests.services.test_derived import wait_for_lock

TEMPLATE, LEASE = "9fa70d4ccea84262b1ed2308a07a3fb4", "lease"
"""Of the sample, submitted on 21 December 2022, and one whose field END says when the lease ends."""
COURT = Holding(reason="ordered by the court")


def lease(end: str) -> dict[str, Any]:
    its = document(end, template={"id": LEASE})
    return its | {"data": [*its["data"], its["data"][0] | {"id": "END", "value": end}]}


def tombstone(digest: str) -> TombstoneRow:
    return TombstoneRow(digest=digest, batch_id="b", ground="g", erased_by="a", confirmed_by="b", erased_at=NOON)


@pytest.fixture(autouse=True)
def _archives(installation: Settings) -> None:
    assert installation
    for number, end in enumerate(("31/12/2019", "2099-01-01", "unlimited")):
        archived(end, minute=number, payload=lease(end))
    archived("sample", minute=8)
    archived("held", minute=9)


def found(**filters: Any) -> list[str]:
    """Return the archives that the list shows, newest first. Plans and holds find the same."""
    listed = [each.reference for each in archive_list.page(ArchiveQuery(**filters), CELLAR).items]
    planned = select(ArchiveRow.reference).where(*conditions_of(ArchiveFilter(**filters)))
    assert sorted(listed) == sorted(all_of(planned))
    return listed


def rule(template: str, retention: str | None) -> None:
    templates.name({template: TemplateWords(retention=retention)}, "a test", NOON)
    while derived.fill():
        pass


def conditions() -> list[tuple[str, int]]:
    groups = open_conditions((DerivedCode.RETENTION_DUE,))
    return sorted((each.key, each.subjects) for each in groups)


def test_rules_say_what_is_due_and_a_hold_beats_them() -> None:
    assert (found(due="erase"), found(due="review"), conditions()) == ([], [], [])

    rule(LEASE, "erase after 3 years from END")
    assert (found(due="erase"), found(due="review")) == (["31/12/2019"], ["unlimited"])
    change(update(ArchiveRow).values(state=State.COMPLETED))
    planned = batches.plan(BatchKind.ERASE, ErasureFilter(due=DueAction.ERASE, reason="over"), "ann")
    assert batches.view(planned.id).planned == 1
    rule(TEMPLATE, "review after 3 years")
    assert found(due="review") == ["held", "sample", "unlimited"]
    assert found(due="review", template=TEMPLATE, references=["sample"]) == ["sample"]
    assert conditions() == [("erase", 1), ("review", 3)]

    holds.put(ArchiveFilter(references=["held", "31/12/2019"]), COURT, "dana", NOON)
    assert (found(due="erase"), found(due="review"), found(held=True)) == (
        [],
        ["sample", "unlimited"],
        ["held", "31/12/2019"],
    )
    assert found(held=False, template=TEMPLATE) == ["sample"]
    archived("1/2/2020", payload=lease("1/2/2020"))  # what arrives later is due by the same rule
    assert found(due="erase") == ["1/2/2020"]
    rule(LEASE, "keep")
    assert (found(due="erase"), found(due="review"), conditions()) == ([], ["sample"], [("review", 1)])


def test_template_comes_before_its_source() -> None:
    sources.add("haifa", StatedTerms(retention="erase after 1 year", timezone="Asia/Jerusalem"), "a test", NOON)
    loaded(read(document("of haifa")), registered("of haifa", source="haifa"))
    at = all_of(select(ArchiveRow).where(ArchiveRow.reference == "of haifa"))[0].due_at
    assert (at, found(due="erase")) == (datetime(2023, 12, 21, 22, tzinfo=UTC), ["of haifa"])

    sources.set_terms("haifa", {"retention": "review after 1 day"})
    assert archive_list.page(ArchiveQuery(), CELLAR).not_indexed == 1  # those of other sources stay as they are
    while derived.fill():
        pass
    assert (found(due="erase"), found(due="review")) == ([], ["of haifa"])
    rule(TEMPLATE, "keep")
    assert found(due="review") == []


def test_hold_is_kept_shown_and_released_by_whom_and_why(installation: Settings) -> None:
    put_on = holds.put(ArchiveFilter(template=TEMPLATE), COURT, "dana", NOON)
    tomorrow = datetime.now(installation.zone).date() + timedelta(days=1)
    holds.put(
        ArchiveFilter(reference="held"), Holding(reason="a claim", until=tomorrow), "eli", NOON + timedelta(days=1)
    )
    put(HoldRow(hold_id="past", reference="unlimited", why="a claim", by="eli", at=NOON, until=date(2026, 1, 2)))
    assert (put_on, found(held=True)) == (2, ["held", "sample"])

    before = archive_view.archive("held", CELLAR)
    assert before
    held = ArchiveFilter(reference="held")
    assert holds.release(held, "noa", "settled", NOON + timedelta(days=2), before.holds[1].hold_id) == 1
    assert found(held=True) == ["held", "sample"]
    assert holds.release(ArchiveFilter(held=True), "noa", None, NOON + timedelta(days=3)) == 2

    view = archive_view.archive("held", CELLAR)
    assert view
    assert [(each.by, each.in_force, each.until, each.released_by, each.released_reason) for each in view.holds] == [
        ("dana", False, None, "noa", None),
        ("eli", False, tomorrow, "noa", "settled"),
    ]


def test_archive_that_is_erased_or_unknown_is_not_put_on_hold_and_neither_are_the_others() -> None:
    [row] = all_of(select(ArchiveRow).where(ArchiveRow.reference == "sample"))
    row.digest = "d" * 64
    put(row, tombstone(row.digest))

    for references in (["held", "sample"], ["held", "never arrived"]):
        with pytest.raises(Refused):
            holds.put(ArchiveFilter(references=references), COURT, "dana", NOON)
    assert found(held=True) == []
    assert holds.put(ArchiveFilter(template=TEMPLATE), COURT, "dana", NOON) == 1
    with pytest.raises(Refused, match="has not passed"):
        holds.put(ArchiveFilter(reference="held"), Holding(reason="late", until=date(2026, 1, 1)), "dana", NOON)
    with pytest.raises(Refused, match="no such hold"):
        holds.release(ArchiveFilter(reference="held"), "dana", None, NOON, "none")


def test_hold_waits_for_an_erasure_that_has_begun_and_is_refused(installation: Settings) -> None:
    """SQLite has one writer at a time anyway."""
    with ThreadPoolExecutor() as beside:
        with writing() as session:
            row = session.get_one(ArchiveRow, "held", with_for_update=True)
            put_on: Future[object] = beside.submit(holds.put, ArchiveFilter(template=TEMPLATE), COURT, "dana", NOON)
            if installation.database_location.startswith("postgres"):
                wait_for_lock(put_on)
            row.digest = "d" * 64
            session.add(tombstone("d" * 64))
        assert put_on.result() == 1  # the archive that is not being erased
    assert found(held=True) == ["sample"]
