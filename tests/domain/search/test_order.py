"""Ids of entries grow with the time at which archives were received."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from domain.search.order import first_id_after, first_id_at, ids_for

SINCE = datetime(1990, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=2_900_000)).map(lambda passed: SINCE + passed)


@given(MOMENTS, st.timedeltas(timedelta(microseconds=4), timedelta(days=10_000)))
def test_a_later_archive_has_no_smaller_id(at: datetime, later: timedelta) -> None:
    assert next(ids_for("a", at)) <= next(ids_for("b", min(at + later, datetime.max.replace(tzinfo=UTC))))


@given(MOMENTS, st.text(max_size=5))
def test_an_id_lies_within_its_millisecond_and_fits_into_64_bits(at: datetime, reference: str) -> None:
    assert first_id_at(at) <= next(ids_for(reference, at)) < first_id_after(at) < 1 << 63


@given(MOMENTS, st.text(max_size=5))
def test_taken_ids_are_followed_by_others(at: datetime, reference: str) -> None:
    first = list(islice(ids_for(reference, at), 100))

    assert first == sorted(set(first))
