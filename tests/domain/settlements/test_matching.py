"""Matches entries of settlement reports with payments, and adds up what a report says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.settlements.matching import (
    MATCHED,
    MAY_BE_SETTLED,
    ambiguous,
    claimants,
    coverage_of,
    decide,
    judge_archive,
    merged,
    unmatched,
)
from domain.settlements.tally import Tally
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.payments import Standing
from models.settlements.settlement import (
    Candidate,
    Days,
    DayTotal,
    DecidedEntry,
    Decision,
    Entry,
    EntryKind,
    Match,
    SettlementSummary,
    SettlementTerms,
    TakenEntry,
)
from tests.domain.settled import day, entry, payment

C = DiscrepancyCode
TERMS = SettlementTerms(fee_tolerance_minor=0, late_after_days=7)
WITH_FEES = SettlementTerms(fee_tolerance_minor=30, late_after_days=7)
JANUARY = (Days(day(0), day(30)),)
INSTALMENTS = payment(amount_minor=12000, instalments=3, first_minor=5000, periodical_minor=3500)
LONG_AFTER = day(40)
BY_AUTHORISATION: dict[str, Any] = {"cguid_fingerprint": None}


def outcome(
    payments: Sequence[Candidate],
    entries: Sequence[Entry],
    coverage: Sequence[Days] = JANUARY,
    terms: SettlementTerms = TERMS,
    today: date = LONG_AFTER,
) -> set[tuple[str | None, Discrepancy]]:
    """Return the discrepancies of an installation with these payments, entries and days, by archive."""
    decided = [DecidedEntry(each, decide(each, payments, terms)) for each in entries]
    found: set[tuple[str | None, Discrepancy]] = set()
    for each in decided:
        if each.decision.match is Match.AMBIGUOUS:
            found.add((None, ambiguous(each.entry, payments, terms)))
        elif each.decision.match is Match.NONE and each.decision.reference is None:
            found.add((None, unmatched(each.entry)))
    for reference in {each.reference for each in payments}:
        its_payments = [each for each in payments if each.reference == reference]
        its_entries = [each for each in decided if each.decision.reference == reference]
        judged = judge_archive(its_payments, its_entries, coverage, terms, today)
        found |= {(reference, each) for each in judged}
    return found


@dataclass(frozen=True, slots=True)
class Case:
    """A case of a code. `besides` are the other codes found; `fires` is false for a near miss."""

    name: str
    code: DiscrepancyCode
    payments: Sequence[Candidate]
    entries: Sequence[Entry]
    fires: bool
    terms: SettlementTerms = TERMS
    today: date = LONG_AFTER
    coverage: Sequence[Days] = JANUARY
    besides: Sequence[DiscrepancyCode] = ()


CASES = [
    Case("a charge without a row", C.MISSING_IN_SETTLEMENT, [payment()], [], True),
    Case("on the last covered day", C.MISSING_IN_SETTLEMENT, [payment(paid_on=day(30))], [], True),
    Case("a refund is no charge", C.MISSING_IN_SETTLEMENT, [payment()], [entry(kind=EntryKind.REFUND)], True,
         besides=[C.REFUNDED]),
    Case("on a day that no report covers", C.MISSING_IN_SETTLEMENT, [payment(paid_on=day(31))], [], False),
    Case("not late yet", C.MISSING_IN_SETTLEMENT, [payment()], [], False, today=day(7)),
    Case("late since today", C.MISSING_IN_SETTLEMENT, [payment()], [], True, today=day(8)),
    Case("a hold", C.MISSING_IN_SETTLEMENT, [payment(standing=Standing.HELD)], [], False),
    Case("a verification", C.MISSING_IN_SETTLEMENT, [payment(standing=Standing.VERIFIED)], [], False),
    Case("without a day", C.MISSING_IN_SETTLEMENT, [payment(paid_on=None)], [], False),
    Case("a row without a payment", C.MISSING_IN_ARCHIVE, [], [entry()], True),
    Case("a row for a failed payment", C.MISSING_IN_ARCHIVE, [payment(standing=Standing.FAILED)], [entry()], True),
    Case("another amount, by authorisation", C.MISSING_IN_ARCHIVE, [payment(standing=Standing.HELD)],
         [entry(amount_minor=2099, **BY_AUTHORISATION)], True),
    Case("two days off, by authorisation", C.MISSING_IN_ARCHIVE, [payment(standing=Standing.HELD)],
         [entry(paid_on=day(2), **BY_AUTHORISATION)], True),
    Case("two days before, by authorisation", C.MISSING_IN_ARCHIVE, [payment(standing=Standing.HELD)],
         [entry(paid_on=day(-2), **BY_AUTHORISATION)], True),
    Case("another card, by authorisation", C.MISSING_IN_ARCHIVE, [payment(standing=Standing.HELD)],
         [entry(card_last4="4321", **BY_AUTHORISATION)], True),
    Case("another currency, by authorisation", C.MISSING_IN_ARCHIVE, [payment(standing=Standing.HELD)],
         [entry(currency="USD", **BY_AUTHORISATION)], True),
    Case("a day off, by authorisation", C.MISSING_IN_ARCHIVE, [payment()],
         [entry(paid_on=day(1), **BY_AUTHORISATION)], False),
    Case("the day before, by authorisation", C.MISSING_IN_ARCHIVE, [payment()],
         [entry(paid_on=day(-1), **BY_AUTHORISATION)], False),
    Case("a hold that was taken", C.MISSING_IN_ARCHIVE, [payment(standing=Standing.HELD)], [entry()], False),
    Case("less than was paid", C.SETTLED_AMOUNT_MISMATCH, [payment()], [entry(amount_minor=2099)], True),
    Case("more than was paid", C.SETTLED_AMOUNT_MISMATCH, [payment()], [entry(amount_minor=2101)], True, WITH_FEES),
    Case("twice what was paid", C.SETTLED_AMOUNT_MISMATCH, [payment()], [entry(1), entry(2)], True),
    Case("less than the tolerance allows", C.SETTLED_AMOUNT_MISMATCH, [payment()], [entry(amount_minor=2069)], True,
         WITH_FEES),
    Case("as much less as the tolerance allows", C.SETTLED_AMOUNT_MISMATCH, [payment()], [entry(amount_minor=2070)],
         False, WITH_FEES),
    Case("less by the stated fee", C.SETTLED_AMOUNT_MISMATCH, [payment()], [entry(amount_minor=2058, fee_minor=42)],
         False),
    Case("less by the stated fee, with a minus", C.SETTLED_AMOUNT_MISMATCH, [payment()],
         [entry(amount_minor=2058, fee_minor=-42)], False),
    Case("whole beside a stated fee", C.SETTLED_AMOUNT_MISMATCH, [payment()], [entry(fee_minor=42)], False),
    Case("less by half of the stated fee", C.SETTLED_AMOUNT_MISMATCH, [payment()],
         [entry(amount_minor=2079, fee_minor=42)], True),
    Case("all instalments", C.SETTLED_AMOUNT_MISMATCH, [INSTALMENTS],
         [entry(1, amount_minor=5000), entry(2, amount_minor=3500), entry(3, amount_minor=3500)], False),
    Case("instalments so far", C.SETTLED_AMOUNT_MISMATCH, [INSTALMENTS],
         [entry(1, amount_minor=5000), entry(2, amount_minor=3500)], False),
    Case("instalments at once", C.SETTLED_AMOUNT_MISMATCH, [INSTALMENTS], [entry(amount_minor=12000)], False),
    Case("an instalment of another amount", C.SETTLED_AMOUNT_MISMATCH, [INSTALMENTS],
         [entry(1, amount_minor=5000), entry(2, amount_minor=3400)], True),
    Case("an instalment too many", C.SETTLED_AMOUNT_MISMATCH, [INSTALMENTS],
         [entry(0, amount_minor=5000), *(entry(each, amount_minor=3500) for each in (1, 2, 3))], True),
    Case("all instalments, and too little", C.SETTLED_AMOUNT_MISMATCH, [INSTALMENTS],
         [entry(each, amount_minor=3500, instalment=each, instalments=3) for each in (1, 2, 3)], True),
    Case("the first instalment twice", C.SETTLED_AMOUNT_MISMATCH, [INSTALMENTS],
         [entry(each, amount_minor=5000) for each in (1, 2)], True),
    Case("two periodical instalments before the first", C.SETTLED_AMOUNT_MISMATCH, [INSTALMENTS],
         [entry(each, amount_minor=3500) for each in (1, 2)], False),
    Case("two of three equal instalments", C.SETTLED_AMOUNT_MISMATCH,
         [payment(amount_minor=12000, instalments=3, first_minor=4000, periodical_minor=4000)],
         [entry(each, amount_minor=4000) for each in (1, 2)], False),
    Case("more rows than there are instalments of unknown amounts", C.SETTLED_AMOUNT_MISMATCH,
         [payment(amount_minor=12000, instalments=3)], [entry(each, amount_minor=100) for each in range(8)], True),
    Case("two of three instalments of unknown amounts", C.SETTLED_AMOUNT_MISMATCH,
         [payment(amount_minor=12000, instalments=3)], [entry(each, amount_minor=100) for each in (1, 2)], False),
    Case("instalments that only the report knows", C.SETTLED_AMOUNT_MISMATCH, [payment()],
         [entry(1, amount_minor=700, instalment=1), entry(2, amount_minor=700, instalment=2)], False),
    Case("the first of three instalments that only the report knows", C.SETTLED_AMOUNT_MISMATCH, [payment()],
         [entry(amount_minor=700, instalment=1, instalments=3)], False),
    Case("all of those, and still too little", C.SETTLED_AMOUNT_MISMATCH, [payment()],
         [entry(each, amount_minor=699, instalment=each, instalments=3) for each in (1, 2, 3)], True),
    Case("more than was paid, in instalments", C.SETTLED_AMOUNT_MISMATCH, [payment()],
         [entry(amount_minor=2101, instalment=1, instalments=3)], True),
    Case("less in one of one", C.SETTLED_AMOUNT_MISMATCH, [payment()],
         [entry(amount_minor=700, instalment=1, instalments=1)], True),
    Case("a part that is no instalment", C.SETTLED_AMOUNT_MISMATCH, [payment()],
         [entry(amount_minor=700, instalment=1)], True),
    Case("a bad amount is compared with nothing", C.SETTLED_AMOUNT_MISMATCH, [payment(amount_minor=None)], [entry()],
         False),
    Case("another currency", C.SETTLED_CURRENCY_MISMATCH, [payment()], [entry(currency="USD")], True),
    Case("one row of two in another", C.SETTLED_CURRENCY_MISMATCH, [payment()],
         [entry(1), entry(2, currency="EUR")], True),
    Case("another currency and amount", C.SETTLED_CURRENCY_MISMATCH, [payment()],
         [entry(currency="USD", amount_minor=600)], True),
    Case("a currency that the archive does not tell", C.SETTLED_CURRENCY_MISMATCH, [payment(currency=None)], [entry()],
         False),
    Case("a refund in another currency", C.SETTLED_CURRENCY_MISMATCH, [payment()],
         [entry(1), entry(2, kind=EntryKind.REFUND, currency="USD")], False, besides=[C.REFUNDED]),
    Case("eight days after", C.SETTLED_LATE, [payment()], [entry(settled_on=day(8))], True),
    Case("a year after", C.SETTLED_LATE, [payment(standing=Standing.HELD)], [entry(settled_on=day(365))], True),
    Case("by the row's own day", C.SETTLED_LATE, [payment(paid_on=None)], [entry(settled_on=day(8))], True),
    Case("seven days after", C.SETTLED_LATE, [payment()], [entry(settled_on=day(7))], False),
    Case("a later instalment", C.SETTLED_LATE, [INSTALMENTS],
         [entry(1, amount_minor=5000), entry(2, amount_minor=3500, settled_on=day(32))], False),
    Case("a later instalment whose first no report has", C.SETTLED_LATE, [payment()],
         [entry(amount_minor=700, instalment=2, instalments=3, settled_on=day(32))], False),
    Case("the first instalment", C.SETTLED_LATE, [payment()],
         [entry(each, amount_minor=700, instalment=each, instalments=3, settled_on=day(32 * each)) for each in (1, 2)],
         True),
    Case("all given back", C.REFUNDED, [payment()], [entry(1), entry(2, kind=EntryKind.REFUND)], True),
    Case("some given back", C.REFUNDED, [payment()], [entry(1), entry(2, kind=EntryKind.REFUND, amount_minor=1)], True),
    Case("a hold given back", C.REFUNDED, [payment(standing=Standing.HELD)], [entry(kind=EntryKind.REFUND)], True),
    Case("some given back later, by authorisation", C.REFUNDED, [payment()],
         [entry(1), entry(2, kind=EntryKind.REFUND, amount_minor=500, paid_on=day(10), settled_on=day(12),
                          **BY_AUTHORISATION)], True),
    Case("given back twice, by authorisation", C.REFUNDED, [payment()],
         [entry(1), *(entry(each, kind=EntryKind.REFUND, amount_minor=500, **BY_AUTHORISATION) for each in (2, 3))],
         True),
    Case("more given back than was paid, by authorisation", C.REFUNDED, [payment()],
         [entry(1), entry(2, kind=EntryKind.REFUND, amount_minor=2101, **BY_AUTHORISATION)], False,
         besides=[C.MISSING_IN_ARCHIVE]),
    Case("given back before it was paid, by authorisation", C.REFUNDED, [payment(paid_on=day(20))],
         [entry(1), entry(2, kind=EntryKind.REFUND, **BY_AUTHORISATION)], False, besides=[C.MISSING_IN_ARCHIVE]),
    Case("another card's given back, by authorisation", C.REFUNDED, [payment()],
         [entry(1), entry(2, kind=EntryKind.REFUND, card_last4="4321", **BY_AUTHORISATION)], False,
         besides=[C.MISSING_IN_ARCHIVE]),
    Case("another's given back", C.REFUNDED, [payment()],
         [entry(1), entry(2, kind=EntryKind.REFUND, cguid_fingerprint="d", authorisation_fingerprint="b")], False,
         besides=[C.MISSING_IN_ARCHIVE]),
    Case("charged back", C.CHARGED_BACK, [payment()], [entry(1), entry(2, kind=EntryKind.CHARGEBACK)], True),
    Case("some charged back later, by authorisation", C.CHARGED_BACK, [payment()],
         [entry(1), entry(2, kind=EntryKind.CHARGEBACK, amount_minor=500, paid_on=None, settled_on=day(60),
                          **BY_AUTHORISATION)], True),
    Case("some charged back", C.CHARGED_BACK, [payment()],
         [entry(1), entry(2, kind=EntryKind.CHARGEBACK, amount_minor=100)], True),
    Case("charged back after a refund", C.CHARGED_BACK, [payment()],
         [entry(1), entry(2, kind=EntryKind.REFUND), entry(3, kind=EntryKind.CHARGEBACK)], True, besides=[C.REFUNDED]),
    Case("charged back, and some of that taken back", C.CHARGED_BACK, [payment()],
         [entry(1), entry(2, kind=EntryKind.CHARGEBACK), entry(3, kind=EntryKind.CHARGEBACK, amount_minor=-500)], True),
    Case("charged back, and that taken back", C.CHARGED_BACK, [payment()],
         [entry(1), entry(2, kind=EntryKind.CHARGEBACK), entry(3, kind=EntryKind.CHARGEBACK, amount_minor=-2100)],
         False),
    Case("given back, not charged back", C.CHARGED_BACK, [payment()], [entry(1), entry(2, kind=EntryKind.REFUND)],
         False, besides=[C.REFUNDED]),
    Case("one cguid in two archives", C.AMBIGUOUS_MATCH, [payment("r"), payment("s")], [entry()], True,
         today=day(3)),
    Case("one authorisation in two archives", C.AMBIGUOUS_MATCH, [payment("r"), payment("s")],
         [entry(**BY_AUTHORISATION)], True, today=day(3)),
    Case("twice in one archive", C.AMBIGUOUS_MATCH, [payment("r"), payment("r", payment_id="other")], [entry()], True,
         today=day(3)),
    Case("some of one of two given back", C.AMBIGUOUS_MATCH, [payment("r"), payment("s", amount_minor=3000)],
         [entry(kind=EntryKind.REFUND, amount_minor=500, **BY_AUTHORISATION)], True, today=day(3)),
    Case("all of one of two given back", C.AMBIGUOUS_MATCH, [payment("r"), payment("s", amount_minor=3000)],
         [entry(kind=EntryKind.REFUND, **BY_AUTHORISATION)], False, today=day(3), besides=[C.REFUNDED]),
    Case("one of two took no money", C.AMBIGUOUS_MATCH, [payment("r"), payment("s", standing=Standing.VERIFIED)],
         [entry()], False),
    Case("the cguid tells them apart", C.AMBIGUOUS_MATCH, [payment("r"), payment("s", cguid_fingerprint="d")],
         [entry()], False, today=day(3)),
    Case("the day tells them apart", C.AMBIGUOUS_MATCH, [payment("r"), payment("s", paid_on=day(2))],
         [entry(**BY_AUTHORISATION)], False, today=day(3)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}")
def test_case_has_exactly_the_expected_codes(case: Case) -> None:
    found = outcome(case.payments, case.entries, case.coverage, case.terms, case.today)

    expected = [*case.besides, *([case.code] if case.fires else [])]
    assert sorted(each.code for _, each in found) == sorted(expected)


@pytest.mark.parametrize(
    ("payments", "entries", "expected", "found"),
    [
        ([payment()], [], "21.00 ILS settled by 2026-01-08", "none"),
        ([], [entry()], "a payment for the charge of 21.00 ILS settled on 2026-01-03", "none"),
        (
            [payment(standing=Standing.FAILED)],
            [entry()],
            "a payment for the charge of 21.00 ILS settled on 2026-01-03",
            "a payment that took no money",
        ),
        ([payment()], [entry(amount_minor=2000)], "21.00 ILS", "20.00 ILS"),
        ([payment()], [entry(currency="USD")], "ILS", "USD"),
        ([payment()], [entry(settled_on=day(8))], "by 2026-01-08", "2026-01-09"),
        (
            [payment()],
            [entry(1), entry(2, kind=EntryKind.REFUND, amount_minor=500, settled_on=day(9))],
            "21.00 ILS",
            "5.00 ILS on 2026-01-10",
        ),
        (
            [payment("r", standing=Standing.HELD), payment("s", standing=Standing.HELD)],
            [entry()],
            "one payment for the charge of 21.00 ILS settled on 2026-01-03",
            "several payments, in r, s",
        ),
    ],
)
def test_discrepancy_says_what_was_expected_and_found(
    payments: list[Candidate], entries: list[Entry], expected: str, found: str
) -> None:
    ((_, discrepancy),) = outcome(payments, entries)

    assert (discrepancy.expected, discrepancy.found) == (expected, found)


def test_cguid_takes_precedence_over_authorisation() -> None:
    others = [payment("r", cguid_fingerprint="d"), payment("s", authorisation_fingerprint="b")]

    assert decide(entry(), others, TERMS) == Decision(Match.CGUID, "s", "payment of s")


@pytest.mark.parametrize(
    ("of_entry", "of_payment", "match"),
    [
        ("c", "d", Match.NONE),
        (None, "d", Match.AUTHORISATION),
        ("c", None, Match.AUTHORISATION),
        (None, None, Match.AUTHORISATION),
        ("c", "c", Match.CGUID),
    ],
)
def test_authorisation_matches_unless_cguids_differ(of_entry: str | None, of_payment: str | None, match: Match) -> None:
    decision = decide(entry(cguid_fingerprint=of_entry), [payment(cguid_fingerprint=of_payment)], TERMS)

    assert decision.match is match


def test_attempts_at_one_payment_are_not_ambiguous() -> None:
    attempts = [payment(cguid_fingerprint=None), payment(cguid_fingerprint=None, card_last4="1234")]

    assert decide(entry(), [*attempts, payment(cguid_fingerprint="d")], TERMS).payment_id == "payment of r"
    assert decide(entry(), [*attempts, payment(payment_id="other", cguid_fingerprint=None)], TERMS).payment_id is None


def test_entry_and_payment_without_identifiers_do_not_match() -> None:
    bare: dict[str, Any] = {"cguid_fingerprint": None, "authorisation_fingerprint": None, "card_last4": None}

    assert decide(entry(**bare), [payment(**bare)], TERMS) == Decision(Match.NONE)


def test_instalment_is_matched_by_its_own_amount() -> None:
    of_part = entry(amount_minor=3500, **BY_AUTHORISATION)

    assert decide(of_part, [INSTALMENTS], TERMS).match is Match.AUTHORISATION
    assert decide(entry(amount_minor=3499, **BY_AUTHORISATION), [INSTALMENTS], TERMS).match is Match.NONE


@pytest.mark.parametrize(
    ("amount_minor", "count", "match"),
    [(700, 3, Match.AUTHORISATION), (700, 1, Match.NONE), (700, None, Match.NONE), (2101, 3, Match.NONE)],
)
def test_instalment_known_only_to_the_report_may_be_smaller(amount_minor: int, count: int | None, match: Match) -> None:
    of_part = entry(amount_minor=amount_minor, instalment=1, instalments=count, **BY_AUTHORISATION)

    assert decide(of_part, [payment()], TERMS).match is match


@pytest.mark.parametrize("amount_minor", [2100, 500, 3000, 3001])
def test_reversal_matches_the_payment_of_its_chargeback(amount_minor: int) -> None:
    payments = [payment("r"), payment("s", amount_minor=3000, paid_on=day(-5))]
    back = entry(1, kind=EntryKind.CHARGEBACK, amount_minor=amount_minor, **BY_AUTHORISATION)
    reversal = entry(2, kind=EntryKind.CHARGEBACK, amount_minor=-amount_minor, **BY_AUTHORISATION)

    assert decide(reversal, payments, TERMS) == decide(back, payments, TERMS)
    assert claimants(reversal, payments, TERMS) == claimants(back, payments, TERMS)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry(paid_on=day(1)), entry(paid_on=day(4), settled_on=day(6))], Days(day(1), day(4))),
        ([entry(paid_on=None)], Days(day(2), day(2))),
        ([entry(), entry(paid_on=day(-30))], Days(day(0), day(0))),  # late: another report covered its day
        ([entry(), entry(paid_on=day(1), instalment=2)], Days(day(0), day(0))),
        ([entry(kind=EntryKind.REFUND)], None),
        ([], None),
    ],
)
def test_coverage_is_the_range_of_days_of_the_charges(entries: list[Entry], expected: Days | None) -> None:
    assert coverage_of(entries, TERMS) == expected


days = st.integers(0, 12).map(day)
stretches = st.lists(st.tuples(days, days).map(lambda each: Days(min(each), max(each))), max_size=6)
payments_drawn = st.lists(
    st.builds(
        payment,
        reference=st.sampled_from("rstu"),
        payment_id=st.sampled_from("1234"),
        standing=st.sampled_from(Standing),
        amount_minor=st.sampled_from([None, 2100, 700]),
        currency=st.sampled_from([None, "ILS", "USD"]),
        paid_on=st.none() | days,
        cguid_fingerprint=st.sampled_from([None, "c", "d"]),
        authorisation_fingerprint=st.sampled_from([None, "a", "b"]),
        instalments=st.sampled_from([None, 1, 3]),
    ),
    max_size=5,
    unique_by=lambda each: each.payment_id,
)
entries_drawn = st.lists(
    st.builds(
        entry,
        number=st.integers(1, 1000),
        kind=st.sampled_from(EntryKind),
        settled_on=days,
        paid_on=st.none() | days,
        amount_minor=st.sampled_from([2100, 700]),
        currency=st.sampled_from(["ILS", "USD"]),
        cguid_fingerprint=st.sampled_from([None, "c", "d"]),
        authorisation_fingerprint=st.sampled_from([None, "a", "b"]),
        instalment=st.sampled_from([None, 1, 2]),
        instalments=st.sampled_from([None, 1, 2, 3]),
    ),
    max_size=6,
    unique_by=lambda each: each.entry_id,
)


@given(payments_drawn, entries_drawn, stretches, st.randoms(use_true_random=False))
def test_order_does_not_matter(
    payments: list[Candidate], entries: list[Entry], coverage: list[Days], chance: Random
) -> None:
    before = outcome(payments, entries, coverage)
    for each in (payments, entries, coverage):
        chance.shuffle(each)

    assert outcome(payments, entries, coverage) == before


@given(payments_drawn, entries_drawn)
def test_entry_matches_its_only_fitting_payment_or_is_reported(payments: list[Candidate], entries: list[Entry]) -> None:
    found = outcome(payments, entries)

    for each in entries:
        decision = decide(each, payments, TERMS)
        reported = [of for _, of in found if of.subject == each.entry_id]
        assert (decision.match in MATCHED) == (decision.payment_id is not None) == (not reported)
        if decision.payment_id:
            (matched,) = [of for of in payments if of.payment_id == decision.payment_id]
            assert matched.standing in MAY_BE_SETTLED
            assert matched.reference == decision.reference


@given(stretches)
def test_merging_keeps_the_same_days(drawn: list[Days]) -> None:
    def covered(these: Sequence[Days]) -> set[date]:
        return set(chain.from_iterable(_each(of) for of in these))

    stretched = merged(drawn)

    assert covered(stretched) == covered(drawn)
    assert all((later.first - earlier.last).days > 1 for earlier, later in pairwise(stretched))


def test_latest_possible_date_can_be_merged() -> None:
    eve, last = date.max - timedelta(days=1), date.max

    assert merged([Days(last, last), Days(eve, eve), Days(eve, last)]) == [Days(eve, last)]


def _each(days_of: Days) -> list[date]:
    return [date.fromordinal(each) for each in range(days_of.first.toordinal(), days_of.last.toordinal() + 1)]


def taken(entry: Entry, match: Match = Match.CGUID, *, is_new: bool = True) -> TakenEntry:
    return TakenEntry(DecidedEntry(entry, Decision(match)), is_new, discrepancy=None)


def summary_of(entries: Sequence[TakenEntry]) -> SettlementSummary:
    tally = Tally()
    for each in entries:
        tally.take(each)
    return tally.summary(1, ())


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
