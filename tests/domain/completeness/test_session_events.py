"""Session events are read into values that a database takes, and kept in batches."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.completeness.session_events import check_event, events_in, is_archive, lines_of, read_event
from models.completeness.processes import ReceivedEvent, SessionEvent, SessionEventType
from models.errors import Refused
from tests.samples import sample_document

SESSION = {"id": "s-1", "reference": "r-1", "process_id": "r-1", "process_number": 100, "transaction_number": 30}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


def event(kind: str = "WHEF_SESSION_CREATED", **members: Any) -> dict[str, Any]:
    return {"event": {"type": kind, "timestamp": "2026-07-01T12:00:00"}, "session": SESSION} | members


@pytest.mark.parametrize("kind", SessionEventType)
def test_documented_event_is_read_whole(kind: SessionEventType) -> None:
    assert read_event(event(kind), ZoneInfo("Asia/Jerusalem")) == SessionEvent(
        kind, True, "r-1", 100, 30, "s-1", datetime(2026, 7, 1, 9, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("document", "is_one"),
    [
        (sample_document(), True),
        ({}, True),
        ({"event": "WHEF_SESSION_CREATED"}, True),
        ({"event": {"type": 7}}, True),
        ({"event": {"type": ""}}, True),
        ({"event": {"type": "whp_archive"}}, False),
        (event("WHEF_FORM_FIELD_CHANGED"), False),
    ],
)
def test_only_an_event_with_another_type_is_no_archive(document: dict[str, Any], is_one: bool) -> None:
    assert is_archive(document) is is_one


@pytest.mark.parametrize(
    ("session", "found"),
    [
        ({}, (None, None, None, None)),
        (None, (None, None, None, None)),
        ([SESSION], (None, None, None, None)),
        ({"process_id": "p"}, ("p", None, None, None)),
        ({"reference": "", "process_id": "p"}, ("p", None, None, None)),
        ({"reference": "a\0b", "id": "\ud800"}, (None, None, None, None)),
        ({"reference": "x" * 256, "id": "x" * 255}, (None, None, None, "x" * 255)),
        ({"process_number": "12", "transaction_number": 1 << 63}, (None, 12, None, None)),
        ({"id": 7, "reference": 8}, ("8", None, None, "7")),
    ],
)
def test_value_that_is_no_key_is_left_out(session: Any, found: tuple[Any, ...]) -> None:
    read = read_event(event(session=session), UTC)

    assert (read.reference, read.process_number, read.transaction_number, read.session_id) == found


def test_unknown_event_that_looks_like_an_archive_names_its_process() -> None:
    document = sample_document() | {"event": {"type": "WHP_STORAGE"}}
    first = document["sessions"][0]

    read = read_event(document, UTC)

    assert (read.type, read.is_known, read.event_at) == ("WHP_STORAGE", False, None)
    assert (read.reference, read.process_number) == (document["reference"], first["process_number"])
    assert (read.transaction_number, read.session_id) == (first["transaction_number"], first["id"])


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (event("WHEF_FORM_FIELD_CHANGED"), "FORM_FIELD_CHANGED"),
        (event(session={}), "SESSION_MISSING"),
        (event(session="s-1"), "SESSION_MISSING"),
        (event("WHEF_ELSE", session=None), None),
        (event(session={"transaction_number": 0}), None),
    ],
)
def test_event_is_refused_with_a_reason_or_kept(document: dict[str, Any], code: str | None) -> None:
    found: str | None = None
    try:
        check_event(read_event(document, UTC))
    except Refused as refused:
        found = refused.code

    assert found == code


@given(st.text(min_size=1).filter(lambda kind: kind != "WHP_ARCHIVE"), st.dictionaries(st.text(max_size=9), JSON), JSON)
def test_any_event_is_read_into_values_that_a_database_takes(kind: str, session: dict[str, Any], member: Any) -> None:
    names = ("reference", "process_id", "id", "process_number", "transaction_number")
    document = {"event": {"type": kind, "timestamp": member}, "session": session | dict.fromkeys(names, member)}
    document |= {"sessions": member, "reference": member}

    read = read_event(json.loads(json.dumps(document)), UTC)

    assert len(read.type) <= 64
    for text in (read.type, read.reference, read.session_id):
        assert text is None or (len(text) <= 255 and "\0" not in text and text.encode())
    for number in (read.process_number, read.transaction_number):
        assert number is None or abs(number) < 1 << 63


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
BODIES = st.text(st.characters(exclude_categories=["Cs"])).map(str.encode)


def received(source: str, at: datetime, body: bytes, *, is_large: bool = False) -> ReceivedEvent:
    return ReceivedEvent(source, at, hashlib.sha256(body).hexdigest(), len(body), None if is_large else body)


EVENTS = st.lists(st.builds(received, st.text("abc-", max_size=9), MOMENTS, BODIES, is_large=st.booleans()))


@given(EVENTS)
def test_batch_gives_back_its_events(events: list[ReceivedEvent]) -> None:
    lines = lines_of(events)

    assert list(events_in(lines)) == events
    assert lines.count(b"\n") == len(events)


@given(st.lists(st.builds(received, st.just("default"), MOMENTS, BODIES), min_size=1, max_size=3), st.data())
def test_changed_byte_never_changes_a_body(events: list[ReceivedEvent], data: st.DataObject) -> None:
    lines = bytearray(lines_of(events))
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(st.integers(0, 255))

    found = [each for each in events_in(bytes(lines)) if each]

    assert {each.body for each in found} <= {each.body for each in events} | {None}


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    assert all(each is None or each.received_at.tzinfo for each in events_in(data))


def test_same_body_of_two_sources_is_two_events() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    a, again, b = received("a", now, b"{}"), received("a", now + timedelta(hours=1), b"{}"), received("b", now, b"{}")

    assert a.event_id == again.event_id != b.event_id
