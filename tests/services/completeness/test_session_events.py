"""Session events leave the inbox once store and database have them, whatever happens in between."""

import asyncio
import hashlib
import json
import random
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from adapters.files.store import store
from adapters.inbox import session_events as inbox
from adapters.settings.settings import Settings, settings
from adapters.store import lines, ocfl
from domain.completeness.session_events import events_in
from models.completeness.processes import ReceivedEvent, SessionEventRow, SessionEventType
from models.errors import Transient
from services.completeness.session_events import take_in, take_in_left
from tests.conftest import IN_BOTH_KINDS, Configure, bucket_at, make_tables
from tests.installations import database_that_is_away, installed
from tests.records import all_of
from tests.services.completeness.taken_in import kill_before_write, writes_of_taking_in
from tests.session_events import NOON, PERSON, body, journaled, large_body


def take_in_all() -> int:
    return take_in(inbox.batches())


def rows() -> dict[str, SessionEventRow]:
    return {each.event_id: each for each in all_of(select(SessionEventRow))}


def kept() -> dict[str, bytes]:
    """Return everything below `events/` of the store, by key."""
    return {key: store().read_bytes(key) for key, _ in store().listed("events")}


def kept_events() -> list[ReceivedEvent]:
    found = [each for key, lines in kept().items() if key.endswith(".jsonl") for each in events_in(lines)]
    assert None not in found
    return [each for each in found if each]


def waiting() -> list[str]:
    return [name for name in inbox.place().names("*") if name]  # the S3 server of the tests lists an emptied folder


@IN_BOTH_KINDS
def test_events_are_in_store_and_database_and_no_longer_in_the_inbox(installation: Settings, store_kind: str) -> None:
    bodies = [body(kind) for kind in SessionEventType]
    journaled(bodies[:4])
    journaled(bodies[4:], NOON + timedelta(seconds=1))

    assert take_in_all() == 6

    found = {each.type: each for each in rows().values()}
    assert set(found) == set(SessionEventType)
    one = found[SessionEventType.DELETED]
    assert (one.source, one.is_known, one.reference, one.process_number) == ("default", True, "r", 100)
    assert (one.transaction_number, one.session_id, one.event_at) == (1001, "session-r-1", NOON)
    assert {each.body for each in kept_events()} == set(bodies)
    assert PERSON not in repr(list(found.values()))
    assert waiting() == []
    ((key, text),) = kept().items()
    assert key == f"events/{one.batch}.jsonl"
    assert re.fullmatch(rf"events/\d{{4}}/\d\d/\d\d/{lines.name_of(text)}\.jsonl", key)


def test_large_body_is_a_file_of_its_own_and_is_kept_byte_for_byte(
    sqlite_installation: Settings, store_kind: str
) -> None:
    content = large_body()
    journaled([content, body()])
    journaled([content], source="another")

    take_in_all()

    assert kept()[f"events/bodies/{hashlib.sha256(content).hexdigest()}"] == content
    large = [each for each in rows().values() if not each.is_known]
    assert {(each.type, each.reference, each.source) for each in large} == {
        ("WHP_STORAGE", "large", "default"), ("WHP_STORAGE", "large", "another"),
    }  # fmt: skip
    assert waiting() == []


def test_batch_that_was_named_while_the_clock_was_ahead_is_not_left_until_then(
    sqlite_installation: Settings,
) -> None:
    now = datetime.now(UTC)
    journaled([body()], now + timedelta(days=365))
    journaled([body(reference="of a receiver at work")], now)

    assert asyncio.run(take_in_left()) == 1

    assert [each.reference for each in rows().values()] == ["r"]


def test_large_body_that_comes_again_after_it_was_taken_in_is_found_in_the_store(
    sqlite_installation: Settings,
) -> None:
    content = large_body()
    journaled([content])
    take_in_all()
    journaled([content], NOON + timedelta(days=1), source="another")
    inbox.remove_body(hashlib.sha256(content).hexdigest())  # as if the first taking in had removed it only now

    assert take_in_all() == 1

    assert {each.source for each in rows().values()} == {"default", "another"}


def test_event_that_comes_twice_is_one_row_with_its_first_arrival(installation: Settings) -> None:
    later, earlier = NOON + timedelta(hours=1), NOON
    for at in (later, earlier, later + timedelta(hours=1)):
        journaled([body(), body()], at)
        take_in_all()

    (one,) = rows().values()
    assert one.received_at == earlier
    assert earlier in {each.received_at for each in events_in(kept()[f"events/{one.batch}.jsonl"]) if each}


def test_order_of_arrival_changes_no_row(sqlite_installation: Settings, tmp_path: Path) -> None:
    bodies = [body(kind, reference) for kind in SessionEventType for reference in ("a", "b", "c")]
    for each in random.Random(1).sample(bodies, len(bodies)):
        journaled([each])
    take_in_all()
    shuffled = {key: row.model_dump(exclude={"batch"}) for key, row in rows().items()}

    other = tmp_path / "other"
    other.mkdir()
    with installed(other):
        make_tables()
        journaled(bodies)
        take_in_all()
        assert {key: row.model_dump(exclude={"batch"}) for key, row in rows().items()} == shuffled


def test_time_is_read_in_the_zone_of_the_source(sqlite_installation: Settings, configure: Configure) -> None:
    configure(timezone="Asia/Jerusalem")
    journaled([body()])

    take_in_all()

    (one,) = rows().values()
    assert one.event_at == datetime(2026, 7, 1, 9, tzinfo=UTC)


def test_store_gets_no_events_while_the_database_is_away(configure: Configure, tmp_path: Path) -> None:
    configure(database_url=database_that_is_away())
    ocfl.make_root()  # the store is in use
    for minute in range(5):
        journaled([body(reference=f"r{minute}")], NOON + timedelta(minutes=minute))
        with pytest.raises(Transient):
            take_in_all()

    assert kept() == {}


def test_damaged_line_delays_no_sound_line_and_its_batch_stays_for_a_person(
    sqlite_installation: Settings, store_kind: str
) -> None:
    name = journaled([body(reference="sound"), body(reference="damaged")])
    lines = inbox.place().read_bytes(name)
    inbox.place().write(lines.replace(b"session-damaged-1", b"session-damaged-2"), name)

    assert take_in_all() == 1

    assert [each.reference for each in rows().values()] == ["sound"]
    assert waiting() == [f"{name}.damaged"]
    assert take_in_all() == 0


def test_event_whose_large_body_is_gone_stays_for_a_person(sqlite_installation: Settings) -> None:
    content = large_body()
    name = journaled([content, body()])
    inbox.remove_body(hashlib.sha256(content).hexdigest())

    assert take_in_all() == 1

    assert waiting() == [f"{name}.damaged"]


def test_damaged_file_in_the_store_is_written_again_before_the_inbox_forgets_it(
    sqlite_installation: Settings, store_kind: str
) -> None:
    journaled([body(), large_body()])
    shutil.copytree(inbox.place().path, "again")  # type: ignore[attr-defined]
    take_in_all()
    written = kept()
    for key, data in written.items():
        store().overwrite_bytes(b"x" * len(data), key)
    shutil.copytree("again", inbox.place().path, dirs_exist_ok=True)  # type: ignore[attr-defined]

    take_in_all()

    assert kept() == written


@pytest.mark.parametrize(
    ("installation", "store_kind", "inbox_kind"),
    [("sqlite", "folder", "folder"), ("postgres", "bucket", "folder"), ("sqlite", "bucket", "bucket")],
    indirect=["installation", "store_kind"],
)
def test_taking_in_that_is_killed_before_any_write_is_finished_by_the_next(
    installation: Settings, store_kind: str, inbox_kind: str, configure: Configure, request: pytest.FixtureRequest
) -> None:
    place = settings().store_location

    def fill(attempt: str) -> None:
        values = {"store_url": f"{place}-{attempt}"}
        if inbox_kind == "bucket":
            endpoint = request.getfixturevalue("s3_server")
            values |= {"inbox_url": f"s3://archives/inbox-{id(request)}-{attempt}"} | bucket_at(endpoint)
        configure(**values)
        journaled([body(kind, attempt) for kind in SessionEventType])
        journaled([body(reference=attempt, number=2), large_body(attempt)], NOON + timedelta(days=1))

    fill("whole")
    writes = writes_of_taking_in()
    assert writes > 5
    for number in range(writes):
        attempt = f"killed-{number}"
        fill(attempt)
        kill_before_write(number)

        take_in_all()

        of_attempt = [each for each in rows().values() if each.reference == attempt]
        assert len(of_attempt) == 8
        assert {each.event_id for each in kept_events()} == {each.event_id for each in of_attempt}
        assert waiting() == []


def test_bodies_of_a_batch_are_text_that_other_programs_read(sqlite_installation: Settings) -> None:
    content = body(note='a "quoted"\nline\u2028')
    journaled([content])
    take_in_all()

    (lines,) = kept().values()
    (line, nothing) = lines.split(b"\n")
    assert json.loads(line)["body"].encode() == content
    assert nothing == b""
