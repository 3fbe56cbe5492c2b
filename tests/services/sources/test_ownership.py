"""A source replaces only its own archives: what another sends is kept, and set aside until a person accepts it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import update

from adapters.files.store import store
from adapters.inbox import inbox
from adapters.search.attention import OF_DELIVERIES
from adapters.settings.settings import Settings
from adapters.store import ocfl
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from adapters.tables.runs import refused as refused_rows
from models.access import CELLAR, Caller, Role
from models.archive.archive import WarningCode
from models.errors import Conflict, Refused
from models.runs.receipt import DEFAULT_SOURCE, VersionRow
from models.views.archives.archives import ArchiveQuery, ArchiveView, SetAside
from models.views.troubles import FindingState, RefusedQuery
from services import triage
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.processing.completion import load
from services.receipts import stored_archive
from services.triggering import refused
from services.views import archive_list, archive_view
from tests.conftest import Configure
from tests.flows.databases import in_new_database, rows
from tests.installations import accepted, archive_of, archived, finished, inventory_of, received, stored_body
from tests.records import change
from tests.samples import sample_body

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OTHER = "other"


def body(reference: str, made_at: str, **members: Any) -> bytes:
    return sample_body(reference, event={"type": "WHP_ARCHIVE", "timestamp": made_at}, **members)


def sent(hour: int, made_at: str, source: str = DEFAULT_SOURCE, **members: Any) -> str:
    """Archive what a source sends of the process `r`, and return the receipt id."""
    return archived("r", body("r", made_at, **members), NOON + timedelta(hours=hour), source)


def view() -> ArchiveView:
    return archive_of("r")


def current() -> str | None:
    return archives.get("r").current_receipt_id


def shown() -> dict[str, Any]:
    """Return what must stay as it is while a delivery is set aside."""
    lists = {"versions", "deliveries", "timeline", "warnings", "runs"}
    members = {"completed_at", *lists, *(f"{each}_total" for each in lists)}
    found = [each.reference for each in archive_list.page(ArchiveQuery(q="Jane"), CELLAR).items]
    return view().model_dump(exclude=members) | {"found": found, "current": current()}


def warned() -> list[str]:
    """Return the codes of the warnings, which the list and its filters must agree with."""
    its = [each.code for each in view().warnings if each.code in OF_DELIVERIES]
    for code in OF_DELIVERIES:
        assert bool(archive_list.page(ArchiveQuery(warning=code, attention=True), CELLAR).items) == (code in its)
    assert archives.with_version(current() or view().versions[-1].receipt_id)[2] == bool(view().warnings)
    [listed] = archive_list.page(ArchiveQuery(), CELLAR).items
    assert listed.warnings == len(view().warnings)
    return its


def sound() -> bool:
    return verify_object(object_of("r")).findings == ()


def test_other_source_replaces_nothing_until_a_person_accepts_it(installation: Settings, configure: Configure) -> None:
    sent(0, "2026-01-01T11:00:00")
    before = shown()
    foreign = sent(1, "2026-01-01T12:30:00", OTHER, data=[], attachments=[])

    assert shown() == before
    assert (warned(), sound()) == (["SOURCES_DIFFER"], True)
    assert stored_body("r", foreign) == body("r", "2026-01-01T12:30:00", data=[], attachments=[])
    [waits] = refused_rows.set_aside()
    assert (waits.receipt_id, waits.source, waits.reference) == (foreign, OTHER, "r")
    assert [each.is_set_aside for each in view().versions] == [False, True]
    [detail] = [each.detail for each in view().warnings if each.code == "SOURCES_DIFFER"]
    assert waits.detail == detail == "the process is of the source default, and the source other has sent it too"

    accepted("r", foreign)
    assert (current(), view().fields, warned(), sound(), refused_rows.set_aside()) == (foreign, [], [], True, [])
    assert [each.by for each in view().timeline if each.what == "accepted what another source sent"] == ["Dana"]
    sent(2, "2026-01-01T13:00:00", data=[])
    in_database = rows()
    in_new_database(configure)
    assert rows() == in_database
    assert [each.by for each in view().timeline if each.what == "accepted what another source sent"] == ["Dana"]


def test_source_of_the_process_goes_on_beside_what_is_set_aside(
    sqlite_installation: Settings, configure: Configure
) -> None:
    sent(0, "2026-01-01T11:00:00")
    sent(1, "2026-01-01T12:30:00", OTHER, data=[])
    sent(2, "2026-01-01T12:40:00", OTHER, data=[])  # it says the same as the version that is set aside
    sent(3, "2026-01-01T12:50:00", OTHER)  # it says the same as the current version, and makes it no newer

    own = sent(4, "2026-01-01T12:00:00", signatures=[])

    assert (current(), sound()) == (own, True)
    assert [each.is_set_aside for each in view().versions] == [False, True, False]
    in_database = rows()
    in_new_database(configure)
    assert rows() == in_database
    assert sent(5, "2026-01-01T12:30:00", data=[]) == current()  # the source of the process sends the same body
    assert ([each.is_set_aside for each in view().versions], sound()) == ([False, False, False], True)


def test_source_whose_receipt_is_archived_first_owns_the_process(sqlite_installation: Settings) -> None:
    late = received("r", body("r", "2026-01-01T11:00:00"), NOON + timedelta(minutes=1), OTHER)
    first = received("r", body("r", "2026-01-01T11:00:00", data=[]), NOON)

    finished("r", late)
    finished("r", first)

    assert (current(), view().source, warned(), sound()) == (late, OTHER, ["SOURCES_DIFFER"], True)


def test_what_is_set_aside_is_seen_in_the_scope_of_both_sources_without_its_content(
    sqlite_installation: Settings,
) -> None:
    archived("third", body("third", "2026-01-01T11:00:00"), NOON, "third")
    sent(0, "2026-01-01T11:00:00", OTHER)
    sent(1, "2026-01-01T12:30:00", data=[])
    sent(2, "2026-01-01T12:40:00", data=[])  # it says the same again
    said = SetAside(reference="r", owner=OTHER, other=DEFAULT_SOURCE, received_at=NOON + timedelta(hours=1))

    scopes = {OTHER: (["r"], [said]), DEFAULT_SOURCE: ([], [said]), "third": (["third"], [])}
    for source, seen in scopes.items():
        page = archive_list.page(ArchiveQuery(), Caller("clerk", Role.CLERK, f"source={source}"))
        assert ([each.reference for each in page.items], page.set_aside) == seen
        listed = triage.refused_page(RefusedQuery(source=source, state=FindingState.OPEN)).items
        assert [each.reference for each in listed] == ["r", "r"][: 2 * len(page.set_aside)]
    assert archive_list.page(ArchiveQuery(), CELLAR).set_aside == []
    with pytest.raises(Refused, match="UNKNOWN_REFERENCE"):
        archive_view.archive("r", Caller("clerk", Role.CLERK, f"source={DEFAULT_SOURCE}"))


def as_clerk(source: str) -> Caller:
    return Caller("clerk", Role.CLERK, f"source={source}")


def seen_by(source: str) -> list[str]:
    """Return the archives that a clerk of a source sees."""
    return [each.reference for each in archive_list.page(ArchiveQuery(), as_clerk(source)).items]


def test_process_that_a_person_gives_to_the_other_source_is_its_own_alone(
    installation: Settings, configure: Configure
) -> None:
    first = sent(0, "2026-01-01T11:00:00", OTHER)
    theirs = sent(1, "2026-01-01T12:00:00", data=[])
    newest = sent(2, "2026-01-01T14:30:00", signatures=[])
    sent(3, "2026-01-01T15:00:00", OTHER)  # it says the same as the current version, which becomes no older
    sent(4, "2026-01-01T15:30:00", signatures=[])  # it says the same as the newest that is set aside
    assert (current(), seen_by(OTHER), seen_by(DEFAULT_SOURCE)) == (first, ["r"], [])

    accepted("r", theirs, gives_to=DEFAULT_SOURCE)

    assert (current(), view().source, sound()) == (newest, DEFAULT_SOURCE, True)
    assert (seen_by(OTHER), seen_by(DEFAULT_SOURCE)) == ([], ["r"])
    with pytest.raises(Refused, match="UNKNOWN_REFERENCE"):
        archive_view.archive("r", as_clerk(OTHER))
    waiting = {(each.source, each.receipt_id == first) for each in refused_rows.set_aside()}
    assert ((OTHER, True) in waiting, {source for source, _ in waiting}) == (True, {OTHER})
    given = "gave the process to the source default"
    assert [each.by for each in view().timeline if each.what == given] == ["Dana"]
    in_database = rows()
    in_new_database(configure)
    assert rows() == in_database
    assert sound()
    finished("r", first)
    assert (rows(), sound()) == (in_database, True)

    accepted("r", first)
    assert (view().source, [each.is_set_aside for each in view().versions]) == (DEFAULT_SOURCE, [False] * 3)
    sent(5, "2026-01-01T16:30:00", OTHER, payments=[])
    assert (view().source, seen_by(OTHER), sound()) == (DEFAULT_SOURCE, [], True)
    accepted("r", first, gives_to=OTHER)
    assert (view().source, seen_by(OTHER), seen_by(DEFAULT_SOURCE), sound()) == (OTHER, ["r"], [], True)


def test_giving_that_is_killed_halfway_is_done_by_any_later_run_and_safe_to_repeat(
    sqlite_installation: Settings, configure: Configure
) -> None:
    first = sent(0, "2026-01-01T12:00:00", OTHER)
    theirs = sent(1, "2026-01-01T11:00:00", data=[])
    before = view().model_dump(exclude={"deliveries", "deliveries_total", "timeline", "timeline_total"})
    refused.accept("r", theirs, "Dana", DEFAULT_SOURCE)
    receipts.register_all(list(inbox.deliveries()))
    after = view().model_dump(exclude={"deliveries", "deliveries_total", "timeline", "timeline_total"})
    assert (after, archives.is_accepted(theirs)) == (before, True)

    damage = ocfl.content_key("r", inventory_of("r"), inventory_of("r").versions[0].state["skeleton.json"])
    skeleton = store().read_bytes(damage)
    store().overwrite_bytes(b"{", damage)
    with pytest.raises(Conflict):
        load(stored_archive("r", theirs))
    assert (current(), view().source) == (first, OTHER)
    store().overwrite_bytes(skeleton, damage)

    load(stored_archive("r", first))  # by another run, which is killed then
    load(stored_archive("r", theirs))
    assert (current(), view().source, archives.is_accepted(theirs)) == (theirs, DEFAULT_SOURCE, False)
    finished("r", theirs)

    assert (list(inbox.deliveries()), sound()) == ([], True)
    in_database = rows()
    in_new_database(configure)
    assert rows() == in_database


def test_version_from_the_future_is_current_until_a_later_arrival(
    sqlite_installation: Settings, configure: Configure
) -> None:
    sent(0, "2026-01-01T11:00:00")
    future = sent(1, "2099-01-01T00:00:00", data=[])
    assert (current(), warned(), sound()) == (future, ["VERSION_FROM_FUTURE"], True)

    later = sent(2, "2026-01-01T12:30:00", signatures=[])
    late = sent(3, "2001-01-01T00:00:00", payments=[])

    assert (current(), warned(), sound()) == (later, ["VERSION_FROM_FUTURE"], True)
    assert late in [each.receipt_id for each in view().versions]
    in_database = rows()
    in_new_database(configure)
    assert rows() == in_database


def test_later_arrival_that_loses_to_a_time_that_lay_ahead_is_a_finding_with_both_values(
    sqlite_installation: Settings, configure: Configure
) -> None:
    ahead = sent(0, "2026-01-02T10:00:00")
    sent(1, "2026-01-01T13:00:00", data=[])
    sent(2, "2026-01-01T13:30:00", data=[], signatures=[])
    assert (current(), warned(), sound()) == (ahead, ["VERSION_AHEAD"], True)
    [detail] = [each.detail for each in view().warnings if each.code == "VERSION_AHEAD"]
    assert "version 1 says 2026-01-02 " in detail
    assert "version 2, which arrived after it, says 2026-01-01 " in detail

    again = sent(24, "2026-01-02T12:00:00", data=[])  # the honest content, once that time is past
    assert (current(), warned(), sound()) == (again, [], True)
    end = sent(26, "9999-12-31T00:00:00", signatures=[])
    assert (current(), "TIMESTAMP_UNREADABLE" in [each.code for each in view().warnings]) == (end, True)
    sent(27, "2026-01-02T13:30:00", attachments=[])  # before the arrival of what says no time
    assert (current(), warned(), sound()) == (end, ["VERSION_AHEAD"], True)
    in_database = rows()
    in_new_database(configure)
    assert rows() == in_database
    later = sent(28, "2026-01-02T17:00:00", attachments=[], signatures=[])
    assert (current(), warned(), sound()) == (later, [], True)


def test_earlier_content_that_comes_back_with_a_newer_time_is_a_finding_with_both_versions(
    sqlite_installation: Settings, configure: Configure
) -> None:
    def repeats() -> list[str]:
        return [each.detail for each in view().warnings if each.code == "VERSION_REPEATS"]

    sent(0, "2026-01-01T11:00:00")
    sent(1, "2026-01-01T12:30:00", data=[])
    back = sent(2, "2026-01-01T13:30:00")
    assert (current(), sound()) == (back, True)
    assert repeats() == ["version 3 says what version 1 said, which another had replaced; only its time is newer"]
    assert archive_list.page(ArchiveQuery(warning=WarningCode.VERSION_REPEATS, attention=True), CELLAR).items != []
    in_database = rows()
    in_new_database(configure)
    assert rows() == in_database

    new = sent(3, "2026-01-01T14:30:00", data=[], signatures=[])
    assert (current(), repeats(), sound()) == (new, [], True)
    sent(4, "2026-01-01T10:00:00", attachments=[])  # old when it came
    old = sent(5, "2026-01-01T16:00:00", attachments=[])
    assert (current(), len(repeats()), sound()) == (old, 1, True)
    ahead = sent(6, "2026-01-02T10:00:00", signatures=[])
    sent(7, "2026-01-01T18:30:00", payments=[])
    assert (current(), repeats()) == (ahead, [])
    again = sent(24, "2026-01-02T11:30:00", payments=[])  # as VERSION_AHEAD asks: nothing newer had replaced it
    assert (current(), repeats(), sound()) == (again, [], True)


def test_row_that_lets_a_version_count_although_it_is_set_aside_differs_from_the_store(
    sqlite_installation: Settings,
) -> None:
    sent(0, "2026-01-01T11:00:00")
    foreign = sent(1, "2026-01-01T12:30:00", OTHER, data=[])
    change(update(VersionRow).values(is_set_aside=False))
    load(stored_archive("r", sent(2, "2026-01-01T11:30:00")))

    assert current() == foreign
    said = {each.found for each in verify_object(object_of("r")).findings}
    assert any("is_set_aside" in each for each in said)
    assert any("current_receipt_id" in each for each in said)
