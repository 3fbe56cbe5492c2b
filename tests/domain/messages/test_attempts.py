"""The schedule of a message, the pace of an endpoint, the page that promises them, and what is kept of an answer."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.messages.attempts import (
    LONGEST_RETRY_AFTER,
    MOST_ATTEMPTS,
    MOST_KEPT,
    PAUSES,
    TRIED_FOR,
    Failure,
    Health,
    after_failure,
    is_given_up,
    kept_text,
    next_attempt,
    retry_after,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
PAGE = Path(__file__).parents[3] / "docs" / "notifications.md"


def failure(at: datetime = NOON, status_code: int | None = 500, **more: object) -> Failure:
    made = {"retry_after": None, "is_first_of_message": True, "jitter": 0.0} | more
    return Failure(at, at, status_code, **made)  # type: ignore[arg-type]


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_message_is_tried_ever_more_rarely_until_it_expires_or_was_tried_too_often(jitter: float) -> None:
    times: list[datetime] = []
    at: datetime | None = NOON
    while at:
        times.append(at)
        at = next_attempt(len(times), NOON + TRIED_FOR, failure(at, jitter=jitter))

    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[:-1] == sorted(pauses[:-1])
    assert pauses[0] == 10 * SECOND * (1 + 0.2 * jitter)
    assert times[-1] == NOON + TRIED_FOR
    assert 20 < len(times) <= 32
    assert next_attempt(MOST_ATTEMPTS, NOON + TRIED_FOR, failure()) is None
    assert next_attempt(MOST_ATTEMPTS - 1, NOON + TRIED_FOR, failure()) == NOON + PAUSES[-1]


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", timedelta(0)),
        ("120", 120 * SECOND),
        ("99999999999999999999", LONGEST_RETRY_AFTER),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60 * SECOND),
        ("Thu, 01 Jan 2026 11:00:00 GMT", timedelta(0)),
        ("Fri, 01 Jan 2100 11:00:00 GMT", LONGEST_RETRY_AFTER),
        ("Thu, 01 Jan 2026 12:01:00", None),
        ("٣", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 00:00:00 +999999999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(header: str | None, pause: timedelta | None) -> None:
    assert retry_after(header, NOON) == pause


@given(st.text(max_size=60))
def test_any_retry_after_is_read(header: str) -> None:
    pause = retry_after(header, NOON)

    assert pause is None or timedelta(0) <= pause <= LONGEST_RETRY_AFTER


def test_retry_after_postpones_message_and_endpoint() -> None:
    asked = failure(retry_after=2 * HOUR)

    assert next_attempt(1, NOON + TRIED_FOR, asked) == NOON + 2 * HOUR
    assert after_failure(Health(), asked).paused_until == NOON + 2 * HOUR


def test_first_two_seconds_of_an_outage_have_no_pause_so_that_the_run_can_repeat_its_attempt() -> None:
    first = after_failure(Health(), failure())
    second = after_failure(first, failure(NOON + SECOND, is_first_of_message=False))
    third = after_failure(second, failure(NOON + 3 * SECOND, is_first_of_message=False))

    assert first == Health(NOON, 1)
    assert second == first
    assert third == Health(NOON, 1, NOON + 13 * SECOND)


def test_pause_of_an_endpoint_doubles_up_to_four_hours_and_stays_short_while_one_message_fails() -> None:
    since = Health(NOON, 30)
    pauses = [_pause(since, NOON + elapsed) for elapsed in (5 * SECOND, 80 * SECOND, 2 * HOUR, 60 * HOUR)]

    assert pauses == [10 * SECOND, 80 * SECOND, 2 * HOUR, 4 * HOUR]
    assert _pause(Health(NOON, 1), NOON + 60 * HOUR) == 60 * SECOND


def _pause(health: Health, at: datetime) -> timedelta:
    until = after_failure(health, failure(at, is_first_of_message=False)).paused_until
    assert until
    return until - at


def test_endpoint_is_given_up_after_75_hours_unless_a_single_message_fails() -> None:
    assert is_given_up(Health(NOON, 2), NOON + TRIED_FOR)
    assert not is_given_up(Health(NOON, 2), NOON + TRIED_FOR - SECOND)
    assert not is_given_up(Health(NOON, 1), NOON + TRIED_FOR)
    assert not is_given_up(Health(), NOON)


def test_page_has_the_schedule() -> None:
    page = PAGE.read_text().replace("\n", " ")
    said = page.partition("The pauses after the attempts are ")[2].partition(" after each later attempt.")[0]
    units = {"s": 1, "min": 60, "h": 3600}

    pauses = [timedelta(seconds=int(number) * units[unit]) for number, unit in re.findall(r"(\d+) (s|min|h)\b", said)]
    assert pauses == list(PAUSES)
    assert f"{TRIED_FOR / HOUR:g} hours" in page
    assert f"{MOST_ATTEMPTS} attempts" in page


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", None),
        (b" \r\n", None),
        (b"no such order", "no such order"),
        ("שגיאה".encode(), "שגיאה"),
        (b"card 4580 4580 4580 4580 declined", "card **** **** **** 4580 declined"),
        (b"mail dana@example.co.il twice", "mail *** twice"),
        (b"got whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "got ***"),
        (b"Authorization: Bearer abcdefghij", "Authorization: Bearer ***"),
        (b"you sent my-own-token", "you sent ***"),
        (b"a\x00b", "a b"),
        (b"\xff", "\ufffd"),
    ],
)
def test_answer_is_kept_without_what_is_secret(body: bytes, kept: str | None) -> None:
    assert kept_text(body, ["my-own-token"]) == kept


def test_card_number_at_the_end_of_what_is_kept_is_masked() -> None:
    kept = kept_text(b"x " * (MOST_KEPT // 2 - 5) + b"4580458045804580 and more") or ""

    assert (len(kept), kept[-10:]) == (MOST_KEPT, "*" * 10)


@given(st.binary(max_size=5000))
def test_any_answer_can_be_stored(body: bytes) -> None:
    kept = kept_text(body) or ""

    assert len(kept) <= MOST_KEPT
    assert "\x00" not in kept
    assert kept.encode().decode() == kept
