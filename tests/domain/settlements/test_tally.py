"""The entries of an import are counted, with totals by day and currency."""

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.settlements.matching import MATCHED
from domain.settlements.tally import Tally
from models.settlements.settlement import (
    DayTotal,
    DecidedEntry,
    Decision,
    Entry,
    EntryKind,
    Match,
    SettlementSummary,
    TakenEntry,
)
from tests.domain.settled import day, entry


def taken(entry: Entry, match: Match = Match.CGUID, *, is_new: bool = True) -> TakenEntry:
    return TakenEntry(DecidedEntry(entry, Decision(match)), is_new, discrepancy=None)


def summary_of(entries: Sequence[TakenEntry]) -> SettlementSummary:
    tally = Tally()
    for each in entries:
        tally.take(each)
    return tally.summary(1, ())


def test_totals_are_by_day_and_currency() -> None:
    refund, chargeback = {"kind": EntryKind.REFUND}, {"kind": EntryKind.CHARGEBACK}
    second, yen = {"settled_on": day(3)}, {"currency": "JPY"}
    entries = [
        taken(entry(1, **second, amount_minor=1000)),
        taken(entry(2, amount_minor=2100, fee_minor=15)),
        taken(entry(3, amount_minor=400), Match.NONE),
        taken(entry(4, **refund, amount_minor=300)),
        taken(entry(5, **yen, amount_minor=5000)),
        taken(entry(6, **yen, **chargeback, amount_minor=5000)),
        taken(entry(7, **yen, **chargeback, amount_minor=-2000), Match.AMBIGUOUS),
        taken(entry(8, **second, **yen, **refund, amount_minor=70, fee_minor=-1)),
        taken(entry(9, **second, **chargeback, amount_minor=900)),
    ]

    assert summary_of(entries).totals == (
        DayTotal(day(2), "ILS", 3, 2500, 300, 0, 15, 1),
        DayTotal(day(2), "JPY", 3, 5000, 0, 3000, 0, 1),
        DayTotal(day(3), "ILS", 2, 1000, 0, 900, 0, 0),
        DayTotal(day(3), "JPY", 1, 0, 70, 0, -1, 0),
    )


drawn = st.lists(
    st.builds(
        taken,
        st.builds(
            entry,
            number=st.integers(1, 30),
            kind=st.sampled_from(EntryKind),
            settled_on=st.integers(0, 2).map(day),
            amount_minor=st.integers(-5000, 5000),
            fee_minor=st.none() | st.integers(-50, 50),
            currency=st.sampled_from(["ILS", "JPY", "USD"]),
        ),
        st.sampled_from(Match),
        is_new=st.booleans(),
    ),
    max_size=15,
    unique_by=lambda each: each.decided.entry.entry_id,
)


def total_of(settled_on: date, currency: str, rows: Sequence[TakenEntry]) -> DayTotal:
    """Return the total of a day and a currency, each number from all rows."""
    decided = [each.decided for each in rows]
    of_day = [each for each in decided if (each.entry.settled_on, each.entry.currency) == (settled_on, currency)]
    charged, refunded, charged_back = (
        sum(each.entry.amount_minor for each in of_day if each.entry.kind is kind)
        for kind in (EntryKind.CHARGE, EntryKind.REFUND, EntryKind.CHARGEBACK)
    )
    fees = sum(each.entry.fee_minor or 0 for each in of_day)
    unmatched = sum(each.decision.match not in MATCHED for each in of_day)
    return DayTotal(settled_on, currency, len(of_day), charged, refunded, charged_back, fees, unmatched)


@given(drawn, st.data())
def test_totals_count_repeated_entries_once(rows: list[TakenEntry], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(rows), max_size=3)) if rows else []

    summary = summary_of([*rows, *again])

    days = sorted({(each.decided.entry.settled_on, each.decided.entry.currency) for each in rows})
    assert summary.totals == tuple(total_of(*each, rows) for each in days)
    assert summary.entries == sum(each.entries for each in summary.totals) == len(rows)
    assert summary.matched == summary.entries - sum(each.unmatched for each in summary.totals)
    assert summary.new == sum(each.is_new for each in rows)


@pytest.mark.parametrize("sign", [1, -1])
def test_returned_fee_reduces_the_fees_of_its_day(sign: int) -> None:
    entries = [
        entry(1, fee_minor=15 * sign),
        entry(2, fee_minor=20 * sign),
        entry(3, kind=EntryKind.REFUND, fee_minor=-15 * sign),
        entry(4),
    ]

    (total,) = summary_of([taken(each) for each in entries]).totals
    assert (total.charged_minor, total.refunded_minor, total.fees_minor) == (6300, 2100, 20 * sign)
