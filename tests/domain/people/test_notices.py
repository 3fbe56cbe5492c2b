"""People are told when something begins, ever more rarely while it grows, and when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.people.notices import MANNERS, Word, looked_at, next_attempt, opened, settled, told, word_due
from models.people import Notice, NoticeKind, Sighting

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def after(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def failures(count: int, *, last: float = 0, kind: NoticeKind = NoticeKind.ARCHIVES_FAILED) -> Sighting:
    return Sighting(kind, "STORE_UNREADABLE", count, NOON, after(last))


def seen(notice: Notice, sighting: Sighting | None, hours: float) -> tuple[Notice, Word | None]:
    """Return the notice after a look some hours after noon, told where people are to be told, and the word."""
    looked = looked_at(notice, sighting, after(hours))
    word = word_due(looked, after(hours))
    return (told(looked, after(hours)) if word else looked), word


def test_people_are_told_at_once_and_not_again_of_the_same() -> None:
    notice = opened(failures(1), "n")
    assert word_due(notice, NOON) is Word.FIRST

    notice = told(notice, NOON)

    assert [seen(notice, failures(1), hours)[1] for hours in (0.1, 3, 24, 100)] == [None] * 4


def test_growth_is_told_after_three_hours_then_six_then_twelve_then_daily() -> None:
    notice, words = told(opened(failures(1), "n"), NOON), []
    for hour in range(1, 100):
        notice, word = seen(notice, failures(1 + hour, last=hour), hour)
        words += [hour] * (word is Word.MORE)

    assert words == [3, 9, 21, 45, 69, 93]


def test_newer_failures_are_growth_though_the_number_is_the_same() -> None:
    """Five archives run again and complete, five others fail."""
    notice = told(opened(failures(10), "n"), NOON)

    assert seen(notice, failures(10, last=3), 4)[1] is Word.MORE


def test_greater_urgency_is_told_at_once() -> None:
    missing = Sighting(NoticeKind.PROCESSES_MISSING, "default", 1, NOON, NOON, level=1)
    notice = told(opened(missing, "n"), NOON)

    assert seen(notice, missing, 0.5)[1] is None
    assert seen(notice, replace(missing, level=2), 0.5)[1] is Word.MORE


def test_end_is_told_once_it_lasts() -> None:
    """A failed archive that runs again is not failed meanwhile."""
    notice = told(opened(failures(500), "n"), NOON)
    notice, at_once = seen(notice, None, 1)
    back, again = seen(notice, failures(500), 1.1)
    assert (at_once, again, back.closed_at, back.gone_at) == (None, None, None, None)

    notice, over = seen(notice, None, 1.2)

    assert (over, notice.most, notice.gone_at, notice.closed_at) == (Word.OVER, 500, after(1), after(1.2))


def test_what_is_over_before_people_are_told_stays_untold() -> None:
    away = Sighting(NoticeKind.SYSTEM_AWAY, "store", 3, NOON, NOON)
    notice = opened(away, "n")
    assert word_due(notice, after(0.1)) is None

    notice, word = seen(notice, None, 0.15)

    assert (notice.closed_at, word) == (after(0.15), None)


def test_wait_is_told_once_it_has_lasted_for_ten_minutes() -> None:
    notice = opened(Sighting(NoticeKind.SYSTEM_AWAY, "store", 3, NOON, NOON), "n")

    assert [word_due(notice, after(minutes / 60)) for minutes in (9, 10)] == [None, Word.FIRST]


def test_flood_is_over_once_nothing_new_has_come_for_six_hours() -> None:
    flood = Sighting(NoticeKind.DELIVERIES_REFUSED, "", 60, NOON, after(1))
    notice = told(opened(flood, "n"), after(1))

    assert [looked_at(notice, flood, after(hours)).closed_at for hours in (6.9, 7)] == [None, after(7)]


def test_reported_thing_is_over_when_it_is_reported_gone_or_has_been_quiet() -> None:
    unverified = opened(Sighting(NoticeKind.STORE_UNVERIFIED, "", 1, NOON, NOON), "n")
    refusing = opened(Sighting(NoticeKind.RECEIVER_REFUSING, "", 9, NOON, NOON), "m")

    assert settled(unverified, after(99)) == unverified
    assert settled(unverified.model_copy(update={"gone_at": after(1)}), after(2)).closed_at == after(2)
    assert [settled(refusing, after(hours)).closed_at for hours in (1.9, 2)] == [None, after(2)]


@given(
    st.sampled_from(sorted(NoticeKind)),
    st.lists(st.tuples(st.integers(1, 120), st.integers(0, 1000)), min_size=1, max_size=60),
)
def test_letters_of_one_outage_are_few_whatever_happens(kind: NoticeKind, looks: list[tuple[int, int]]) -> None:
    """Looks minutes apart, each with a number of archives; 0: not found. No level rises."""
    now, notice, words = NOON, opened(Sighting(kind, "k", 1, NOON, NOON), "n"), []
    for minutes, count in looks:
        now += timedelta(minutes=minutes)
        notice = looked_at(notice, Sighting(kind, "k", count, NOON, now) if count else None, now)
        word = word_due(notice, now)
        words += [word] if word else []
        notice = told(notice, now) if word else notice
        if notice.closed_at:
            break

    assert words[:1] in ([], [Word.FIRST])
    assert words.count(Word.FIRST) <= 1
    assert words.count(Word.OVER) == (notice.closed_at is not None and Word.FIRST in words)
    assert words.count(Word.MORE) <= (now - NOON) / MANNERS[kind].pause


def test_letter_is_sent_again_ever_more_rarely_for_three_days() -> None:
    pauses = [next_attempt(NOON, attempts, NOON) for attempts in (1, 2, 6, 7, 50)]

    assert pauses == [after(minutes / 60) for minutes in (1, 2, 32, 60, 60)]
    assert next_attempt(NOON, 80, after(71.9)) == after(72.9)
    assert next_attempt(NOON, 81, after(72)) is None
