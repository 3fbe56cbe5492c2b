"""What an import finds is counted: totals per day and currency."""

import pytest

from domain.settlement_summary import Tally
from models.settlement import DecidedEntry, Decision, EntryKind, Match
from models.settlement_summary import TakenEntry
from tests.domain.settled import entry


@pytest.mark.parametrize("sign", [1, -1])
def test_fee_that_is_given_back_takes_away_from_the_fees_of_its_day(sign: int) -> None:
    tally = Tally()
    entries = [
        entry(1, fee_minor=15 * sign),
        entry(2, fee_minor=20 * sign),
        entry(3, kind=EntryKind.REFUND, fee_minor=-15 * sign),
        entry(4),
    ]
    for each in entries:
        tally.take(TakenEntry(DecidedEntry(each, Decision(Match.NONE)), is_new=True, discrepancy=None))

    (total,) = tally.summary(1, ()).totals
    assert (total.charged_minor, total.refunded_minor, total.fees_minor) == (6300, 2100, 20 * sign)
