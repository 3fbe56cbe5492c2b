"""Matches entries of settlement reports with payments, and adds up what a report says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
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


def in_parts(*amounts_minor: int) -> list[Entry]:
    """Return a row for each amount."""
    return [entry(number, amount_minor=each) for number, each in enumerate(amounts_minor)]


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
    """Payments, entries of reports, and the code of each discrepancy between them."""

    name: str
    found: Sequence[DiscrepancyCode]
    payments: Sequence[Candidate]
    entries: Sequence[Entry] = ()
    terms: SettlementTerms = TERMS
    today: date = LONG_AFTER


HELD = payment(standing=Standing.HELD)
BACK: dict[str, Any] = {"kind": EntryKind.REFUND}
CHARGED_BACK: dict[str, Any] = {"kind": EntryKind.CHARGEBACK}
AMOUNT, MISSING = C.SETTLED_AMOUNT_MISMATCH, C.MISSING_IN_ARCHIVE
OF_UNKNOWN_PARTS = payment(amount_minor=12000, instalments=3)
TWO = [payment("r"), payment("s", amount_minor=3000)]
OTHERS: list[dict[str, Any]] = [
    *({"amount_minor": 2099}, {"card_last4": "4321"}, {"currency": "USD"}, {"paid_on": day(2)}, {"paid_on": day(-2)}),
]
CASES = [
    Case("a charge without a row, on the last covered day", [C.MISSING_IN_SETTLEMENT], [payment(paid_on=day(30))]),
    Case("late since today", [C.MISSING_IN_SETTLEMENT], [payment()], today=day(8)),
    Case("not late yet", [], [payment()], today=day(7)),
    Case("on a day that no report covers", [], [payment(paid_on=day(31))]),
    Case("a hold without a row", [], [HELD]),
    Case("a charge without a day or a row", [], [payment(paid_on=None)]),
    Case("a refund is no charge", [C.MISSING_IN_SETTLEMENT, C.REFUNDED], [payment()], [entry(**BACK)]),
    Case("a row without a payment", [MISSING], [], [entry()]),
    Case("a row for a failed payment", [MISSING], [payment(standing=Standing.FAILED)], [entry()]),
    *(
        Case(f"by authorisation, but {members}", [MISSING], [HELD], [entry(**members, **BY_AUTHORISATION)])
        for members in OTHERS
    ),
    *(
        Case(f"by authorisation, {days} day off", [], [payment()], [entry(paid_on=day(days), **BY_AUTHORISATION)])
        for days in (1, -1)
    ),
    Case("a hold that was taken", [], [HELD], [entry()]),
    Case("more than was paid", [AMOUNT], [payment()], [entry(amount_minor=2101)], WITH_FEES),
    Case("twice what was paid", [AMOUNT], [payment()], [entry(1), entry(2)]),
    Case("less than the tolerance allows", [AMOUNT], [payment()], [entry(amount_minor=2069)], WITH_FEES),
    Case("as much less as the tolerance allows", [], [payment()], [entry(amount_minor=2070)], WITH_FEES),
    Case("less by the stated fee", [], [payment()], [entry(amount_minor=2058, fee_minor=42)]),
    Case("less by the stated fee, with a minus", [], [payment()], [entry(amount_minor=2058, fee_minor=-42)]),
    Case("whole beside a stated fee", [], [payment()], [entry(fee_minor=42)]),
    Case("less by half of the stated fee", [AMOUNT], [payment()], [entry(amount_minor=2079, fee_minor=42)]),
    Case("all instalments", [], [INSTALMENTS], in_parts(5000, 3500, 3500)),
    Case("instalments so far", [], [INSTALMENTS], in_parts(5000, 3500)),
    Case("two periodical instalments before the first", [], [INSTALMENTS], in_parts(3500, 3500)),
    Case("instalments at once", [], [INSTALMENTS], in_parts(12000)),
    Case("an instalment of another amount", [AMOUNT], [INSTALMENTS], in_parts(5000, 3400)),
    Case("an instalment too many", [AMOUNT], [INSTALMENTS], in_parts(5000, 3500, 3500, 3500)),
    Case("all instalments, and too little", [AMOUNT], [INSTALMENTS], in_parts(3500, 3500, 3500)),
    Case("the first instalment twice", [AMOUNT], [INSTALMENTS], in_parts(5000, 5000)),
    Case("more rows than instalments of unknown amounts", [AMOUNT], [OF_UNKNOWN_PARTS], in_parts(*[100] * 3)),
    Case("two of three instalments of unknown amounts", [], [OF_UNKNOWN_PARTS], in_parts(100, 100)),
    Case("instalments that only the report knows", [], [payment()],
         [entry(each, amount_minor=700, instalment=each) for each in (1, 2)]),
    Case("the first of three that only the report knows", [], [payment()],
         [entry(amount_minor=700, instalment=1, instalments=3)]),
    Case("all of those, and still too little", [AMOUNT], [payment()],
         [entry(each, amount_minor=699, instalment=each, instalments=3) for each in (1, 2, 3)]),
    Case("more than was paid, in instalments", [AMOUNT], [payment()],
         [entry(amount_minor=2101, instalment=1, instalments=3)]),
    Case("less in one of one", [AMOUNT], [payment()], [entry(amount_minor=700, instalment=1, instalments=1)]),
    Case("a part that is no instalment", [AMOUNT], [payment()], [entry(amount_minor=700, instalment=1)]),
    Case("a bad amount is compared with nothing", [], [payment(amount_minor=None)], [entry()]),
    Case("another currency and amount", [C.SETTLED_CURRENCY_MISMATCH], [payment()],
         [entry(currency="USD", amount_minor=600)]),
    Case("one row of two in another currency", [C.SETTLED_CURRENCY_MISMATCH], [payment()],
         [entry(1), entry(2, currency="EUR")]),
    Case("a currency that the archive does not tell", [], [payment(currency=None)], [entry()]),
    Case("a refund in another currency", [C.REFUNDED], [payment()], [entry(1), entry(2, currency="USD", **BACK)]),
    Case("eight days after", [C.SETTLED_LATE], [payment()], [entry(settled_on=day(8))]),
    Case("eight days after the row's own day", [C.SETTLED_LATE], [payment(paid_on=None)], [entry(settled_on=day(8))]),
    Case("seven days after", [], [payment()], [entry(settled_on=day(7))]),
    Case("a later instalment is late", [], [INSTALMENTS],
         [entry(1, amount_minor=5000), entry(2, amount_minor=3500, settled_on=day(32))]),
    Case("a later instalment whose first no report has", [], [payment()],
         [entry(amount_minor=700, instalment=2, instalments=3, settled_on=day(32))]),
    Case("the first instalment is late", [C.SETTLED_LATE], [payment()],
         [entry(each, amount_minor=700, instalment=each, instalments=3, settled_on=day(32 * each)) for each in (1, 2)]),
    Case("some given back", [C.REFUNDED], [payment()], [entry(1), entry(2, amount_minor=1, **BACK)]),
    Case("a hold given back", [C.REFUNDED], [HELD], [entry(**BACK)]),
    Case("some given back later, by authorisation", [C.REFUNDED], [payment()],
         [entry(1), entry(2, amount_minor=500, paid_on=day(10), settled_on=day(12), **BACK, **BY_AUTHORISATION)]),
    Case("given back twice, by authorisation", [C.REFUNDED], [payment()],
         [entry(1), *(entry(each, amount_minor=500, **BACK, **BY_AUTHORISATION) for each in (2, 3))]),
    Case("more given back than was paid, by authorisation", [MISSING], [payment()],
         [entry(1), entry(2, amount_minor=2101, **BACK, **BY_AUTHORISATION)]),
    Case("given back before it was paid, by authorisation", [MISSING], [payment(paid_on=day(20))],
         [entry(1), entry(2, **BACK, **BY_AUTHORISATION)]),
    Case("another card's given back, by authorisation", [MISSING], [payment()],
         [entry(1), entry(2, card_last4="4321", **BACK, **BY_AUTHORISATION)]),
    Case("some charged back", [C.CHARGED_BACK], [payment()], [entry(1), entry(2, amount_minor=100, **CHARGED_BACK)]),
    Case("some charged back later, by authorisation", [C.CHARGED_BACK], [payment()],
         [entry(1), entry(2, amount_minor=500, paid_on=None, settled_on=day(60), **CHARGED_BACK, **BY_AUTHORISATION)]),
    Case("charged back after a refund", [C.CHARGED_BACK, C.REFUNDED], [payment()],
         [entry(1), entry(2, **BACK), entry(3, **CHARGED_BACK)]),
    Case("charged back, and some of that taken back", [C.CHARGED_BACK], [payment()],
         [entry(1), entry(2, **CHARGED_BACK), entry(3, amount_minor=-500, **CHARGED_BACK)]),
    Case("charged back, and that taken back", [], [payment()],
         [entry(1), entry(2, **CHARGED_BACK), entry(3, amount_minor=-2100, **CHARGED_BACK)]),
    Case("one cguid in two archives", [C.AMBIGUOUS_MATCH], [payment("r"), payment("s")], [entry()], today=day(3)),
    Case("one authorisation in two archives", [C.AMBIGUOUS_MATCH], [payment("r"), payment("s")],
         [entry(**BY_AUTHORISATION)], today=day(3)),
    Case("twice in one archive", [C.AMBIGUOUS_MATCH], [payment("r"), payment("r", payment_id="other")], [entry()],
         today=day(3)),
    Case("some of one of two given back", [C.AMBIGUOUS_MATCH], TWO,
         [entry(amount_minor=500, **BACK, **BY_AUTHORISATION)], today=day(3)),
    Case("all of one of two given back", [C.REFUNDED], TWO, [entry(**BACK, **BY_AUTHORISATION)], today=day(3)),
    Case("one of two took no money", [], [payment("r"), payment("s", standing=Standing.VERIFIED)], [entry()]),
    Case("the day tells two apart", [], [payment("r"), payment("s", paid_on=day(2))], [entry(**BY_AUTHORISATION)],
         today=day(3)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_has_exactly_the_expected_codes(case: Case) -> None:
    found = outcome(case.payments, case.entries, JANUARY, case.terms, case.today)

    assert sorted(each.code for _, each in found) == sorted(case.found)


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


@pytest.mark.parametrize(
    ("paid", "amount_minor", "count", "match"),
    [
        (INSTALMENTS, 3500, None, Match.AUTHORISATION),
        (INSTALMENTS, 3499, None, Match.NONE),
        (payment(), 700, 3, Match.AUTHORISATION),  # known only to the report
        (payment(), 700, 1, Match.NONE),
        (payment(), 700, None, Match.NONE),
        (payment(), 2101, 3, Match.NONE),
    ],
)
def test_instalment_is_matched_by_its_own_amount(
    paid: Candidate, amount_minor: int, count: int | None, match: Match
) -> None:
    of_part = entry(amount_minor=amount_minor, instalment=1, instalments=count, **BY_AUTHORISATION)

    assert decide(of_part, [paid], TERMS).match is match


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
    def covered(these: Sequence[Days]) -> set[int]:
        return {each for of in these for each in range(of.first.toordinal(), of.last.toordinal() + 1)}

    stretched = merged(drawn)

    assert covered(stretched) == covered(drawn)
    assert all((later.first - earlier.last).days > 1 for earlier, later in pairwise(stretched))


def test_latest_possible_date_can_be_merged() -> None:
    eve, last = date.max - timedelta(days=1), date.max

    assert merged([Days(last, last), Days(eve, eve), Days(eve, last)]) == [Days(eve, last)]


def test_totals_are_of_each_day_and_currency_and_count_repeated_entries_once() -> None:
    """A returned fee reduces the fees of its day."""
    entries = [
        taken(entry(1, fee_minor=15)),
        taken(entry(2, fee_minor=-20), is_new=False),
        taken(entry(3, kind=EntryKind.REFUND, fee_minor=-15, amount_minor=500), Match.NONE),
        taken(entry(4, kind=EntryKind.CHARGEBACK, amount_minor=700), Match.AMBIGUOUS),
        taken(entry(5, currency="JPY"), Match.AUTHORISATION),
        taken(entry(6, settled_on=day(1)), Match.NONE),
    ]
    tally = Tally()
    for each in [*entries, *entries[::2]]:
        tally.take(each)

    summary = tally.summary(1, ())

    assert summary.totals == (
        DayTotal(day(1), "ILS", 1, 2100, 0, 0, 0, 1),
        DayTotal(day(2), "ILS", 4, 4200, 500, 700, -20, 2),
        DayTotal(day(2), "JPY", 1, 2100, 0, 0, 0, 0),
    )
    assert (summary.entries, summary.new, summary.matched) == (6, 5, 3)


def taken(entry: Entry, match: Match = Match.CGUID, *, is_new: bool = True) -> TakenEntry:
    return TakenEntry(DecidedEntry(entry, Decision(match)), is_new, discrepancy=None)
