"""A batch of session events keeps each body byte for byte, and shows where it is damaged."""

import hashlib
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.completeness.batches import events_in, lines_of
from models.completeness.processes import ReceivedEvent

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
