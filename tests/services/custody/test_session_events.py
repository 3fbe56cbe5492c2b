"""Session events are rebuilt from the store alone, and verify finds what is wrong with their files and rows."""

import hashlib
from datetime import timedelta

import pytest
from sqlmodel import delete, select

from adapters.files.store import store
from adapters.inbox import session_events as inbox
from adapters.settings.settings import Settings
from models.completeness.processes import SessionEventRow, SessionEventType
from models.store.fixity import Fault
from services.completeness.session_events import take_in
from services.custody.rebuilding import rebuild
from services.custody.verifying_records import verify_beside
from tests.conftest import IN_BOTH_KINDS
from tests.records import all_of, change
from tests.session_events import NOON, body, journaled, large_body

pytestmark = IN_BOTH_KINDS
LARGE = large_body()
BODY_KEY = f"events/bodies/{hashlib.sha256(LARGE).hexdigest()}"


@pytest.fixture
def batch(installation: Settings, store_kind: str) -> str:
    """The key of a batch that was taken in, with an event of each type and a large one."""
    journaled([*map(body, SessionEventType), LARGE])
    take_in(inbox.batches())
    (key,) = [key for key, _ in store().listed("events") if key != BODY_KEY]
    return key


def rows() -> list[dict[str, object]]:
    return [each.model_dump() for each in all_of(select(SessionEventRow).order_by("event_id"))]


def empty() -> None:
    change(delete(SessionEventRow))


def found() -> list[tuple[Fault, str]]:
    return [(each.fault, each.key) for each in verify_beside().findings]


def test_rebuild_restores_each_row(batch: str) -> None:
    journaled([body(), body(reference="later")], NOON + timedelta(days=1), source="another")
    journaled([body()], NOON - timedelta(hours=1))
    take_in(inbox.batches())
    before = rows()
    empty()

    rebuilt = rebuild([], lambda _: None)

    assert (rebuilt.events, rebuilt.damaged) == (10, ())
    assert rows() == before


def test_rebuild_reports_a_damaged_batch_and_restores_its_sound_lines(batch: str) -> None:
    lines = store().read_bytes(batch)
    store().overwrite_bytes(lines.replace(b"192.0.2.77", b"192.0.2.78", 1), batch)
    empty()

    rebuilt = rebuild([], lambda _: None)

    assert {key for key, _ in rebuilt.damaged} == {batch}
    assert (rebuilt.events, len(rows())) == (6, 6)


@pytest.mark.parametrize("is_body", [False, True])
def test_damaged_and_missing_files_are_found(batch: str, is_body: bool) -> None:
    key = BODY_KEY if is_body else batch
    data = store().read_bytes(key)

    store().overwrite_bytes(data[:-2] + b"x\n", key)
    assert found() == [(Fault.DAMAGED, key)]
    store().remove(key)
    assert found() == [(Fault.MISSING, key)]
    store().overwrite_bytes(data, key)
    assert found() == []


def test_unknown_file_is_found(batch: str) -> None:
    store().overwrite_bytes(b"", "events/2026/notes.txt")

    assert found() == [(Fault.EXTRA, "events/2026/notes.txt")]


def test_lost_rows_are_found_unless_their_events_still_wait_in_the_inbox(batch: str) -> None:
    empty()
    assert found() == [(Fault.DIFFERS, batch)]

    journaled([*map(body, SessionEventType), LARGE])
    assert found() == []
