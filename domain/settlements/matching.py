"""Matches the rows of settlement reports to payments, and tells what differs.

What comes out follows from payments, rows and the day alone: no order of arrival, and no earlier outcome, plays a part.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from domain.payments.money import amount_text, exponent_of
from domain.secrets.cards import masked
from models.payments.discrepancy import Discrepancy, DiscrepancyCode
from models.payments.payment import Standing
from models.settlements.settlement import (
    Candidate,
    Days,
    DecidedEntry,
    Decision,
    Entry,
    EntryKind,
    Match,
    SettlementTerms,
)

CODES = frozenset(
    {
        DiscrepancyCode.AMBIGUOUS_MATCH,
        DiscrepancyCode.CHARGED_BACK,
        DiscrepancyCode.MISSING_IN_ARCHIVE,
        DiscrepancyCode.MISSING_IN_SETTLEMENT,
        DiscrepancyCode.REFUNDED,
        DiscrepancyCode.SETTLED_AMOUNT_MISMATCH,
        DiscrepancyCode.SETTLED_CURRENCY_MISMATCH,
        DiscrepancyCode.SETTLED_LATE,
    }
)
MAY_BE_SETTLED = frozenset({Standing.CHARGED, Standing.HELD, Standing.UNKNOWN})
"""A hold may have been released, and what nobody told us of may be a charge. What was only verified, or failed, took no
money by what its archive says: a row for it says that the archive is wrong, which no match must hide.
"""
MATCHED = frozenset({Match.CGUID, Match.AUTHORISATION})
_ONE_DAY = timedelta(days=1)
_MOST_NAMED = 3


def standing_after(standing: Standing, *, has_charge: bool) -> Standing:
    """Return where a payment stands by its payload and, if a charge of a report is matched to it, by that."""
    return Standing.SETTLED if has_charge and standing in MAY_BE_SETTLED else standing


def decide(entry: Entry, payments: Sequence[Candidate], terms: SettlementTerms) -> Decision:
    """Return which of some payments an entry belongs to: that with its cguid, else, where one of them has none, that
    with its authorisation number, last four digits, amount and day. What goes back may be some of it, and later. Of
    two, neither.

    Args:
        entry: a row of a report.
        payments: at least all that have its cguid or its authorisation number.
        terms: of the report.
    """
    match, fitting = _fitting(entry, payments, terms)
    if len({each.payment_id for each in fitting}) > 1:
        return Decision(Match.AMBIGUOUS)
    if fitting:
        return Decision(match, fitting[0].reference, fitting[0].payment_id)
    return Decision(Match.NONE, min((each.reference for each in payments if _has_cguid(each, entry)), default=None))


def _fitting(entry: Entry, payments: Sequence[Candidate], terms: SettlementTerms) -> tuple[Match, list[Candidate]]:
    able = [each for each in payments if each.standing in MAY_BE_SETTLED]
    by_cguid = [each for each in able if _has_cguid(each, entry)]
    if by_cguid:
        return Match.CGUID, by_cguid
    by_authorisation = [each for each in able if _has_authorisation(each, entry)]
    exact = [each for each in by_authorisation if _has_amount_and_day(each, entry, terms)]
    return Match.AUTHORISATION, exact or [each for each in by_authorisation if _may_go_back(each, entry)]


def claimants(entry: Entry, payments: Iterable[Candidate], terms: SettlementTerms) -> set[str]:
    """Return the archives with a payment that an entry fits to, whatever the others are."""
    able = [each for each in payments if each.standing in MAY_BE_SETTLED]
    return {each.reference for each in able if _has_cguid(each, entry) or _may_be_of(each, entry, terms)}


def _may_be_of(payment: Candidate, entry: Entry, terms: SettlementTerms) -> bool:
    is_it = _has_amount_and_day(payment, entry, terms) or _may_go_back(payment, entry)
    return _has_authorisation(payment, entry) and is_it


def _has_cguid(payment: Candidate, entry: Entry) -> bool:
    return entry.cguid_fingerprint is not None and payment.cguid_fingerprint == entry.cguid_fingerprint


def _has_authorisation(payment: Candidate, entry: Entry) -> bool:
    """What an entry or a payment lacks fits to nothing. Two cguids tell whether it is the same, and leave no more to
    compare.
    """
    return (
        (entry.cguid_fingerprint is None or payment.cguid_fingerprint is None)
        and entry.authorisation_fingerprint is not None
        and entry.authorisation_fingerprint == payment.authorisation_fingerprint
        and entry.card_last4 is not None
        and entry.card_last4 == payment.card_last4
        and entry.currency == payment.currency
    )


def _has_amount_and_day(payment: Candidate, entry: Entry, terms: SettlementTerms) -> bool:
    return (
        entry.paid_on is not None
        and payment.paid_on is not None
        and abs(payment.paid_on - entry.paid_on) <= _ONE_DAY
        and _is_of(_unsigned(entry), payment, terms)
    )


def _may_go_back(payment: Candidate, entry: Entry) -> bool:
    """Whether an entry takes back no more than was paid, and not before."""
    return (
        entry.kind is not EntryKind.CHARGE
        and payment.amount_minor is not None
        and abs(entry.amount_minor) <= payment.amount_minor
        and payment.paid_on is not None
        and payment.paid_on <= entry.settled_on
    )


def _unsigned(entry: Entry) -> Entry:
    """A reversal, whose amount is negative, belongs to what its chargeback belongs to."""
    return replace(entry, amount_minor=-entry.amount_minor) if entry.amount_minor < 0 else entry


def judge_archive(
    payments: Sequence[Candidate],
    entries: Sequence[DecidedEntry],
    coverage: Sequence[Days],
    terms: SettlementTerms,
    today: date,
) -> list[Discrepancy]:
    """Return what differs between an archive's payments and what reports say of them.

    Args:
        payments: of one archive, each once.
        entries: all that lead to it.
        coverage: the days that reports have the charges of.
        terms: of the reports.
        today: what was paid so lately that its settlement is not late yet is not missed.
    """
    of_payment: dict[str | None, list[Entry]] = defaultdict(list)
    for each in sorted(entries, key=lambda each: (each.entry.settled_on, each.entry.entry_id)):
        of_payment[each.decision.payment_id].append(each.entry)
    found: list[Discrepancy] = []
    for payment in payments:
        its = of_payment[payment.payment_id]
        charges = [entry for entry in its if entry.kind is EntryKind.CHARGE]
        if not charges:
            found.extend(_missed(payment, coverage, terms, today))
        else:
            found.extend(_judge_charges(payment, charges, terms))
        found.extend(_taken_back(payment, its))
    return found + [unmatched(entry, "one that took no money") for entry in of_payment[None]]


def _missed(payment: Candidate, coverage: Sequence[Days], terms: SettlementTerms, today: date) -> Iterator[Discrepancy]:
    """A payment without a charge should have one where a report has those of its day, and it is not merely late."""
    if (
        payment.standing is not Standing.CHARGED
        or payment.paid_on is None
        or payment.paid_on > last_missed(today, terms)
    ):
        return
    if any(days.first <= payment.paid_on <= days.last for days in coverage):
        expected = f"{_amount(payment)} settled by {_due(payment.paid_on, terms)}"
        yield _about(DiscrepancyCode.MISSING_IN_SETTLEMENT, payment, expected, "none")


def _taken_back(payment: Candidate, entries: Sequence[Entry]) -> Iterator[Discrepancy]:
    for kind, code in (
        (EntryKind.REFUND, DiscrepancyCode.REFUNDED),
        (EntryKind.CHARGEBACK, DiscrepancyCode.CHARGED_BACK),
    ):
        back = [each for each in entries if each.kind is kind]
        if any(amount_minor > 0 for amount_minor in _by_currency(back).values()):
            yield _about(code, payment, _amount(payment), f"{_sums(back)} on {back[-1].settled_on}")


def _judge_charges(payment: Candidate, charges: Sequence[Entry], terms: SettlementTerms) -> Iterator[Discrepancy]:
    """`charges` are in order of their settlement, and there is one at least."""
    first = next((each for each in charges if not _is_later_instalment(each)), None)
    paid_on = payment.paid_on or (first and first.paid_on)
    if first and paid_on and _is_late(paid_on, first.settled_on, terms):
        yield _about(DiscrepancyCode.SETTLED_LATE, payment, f"by {_due(paid_on, terms)}", str(first.settled_on))
    if payment.currency is None or payment.amount_minor is None:
        return  # what the archive does not say is a finding of its own, and compared with nothing
    others = sorted({each.currency for each in charges} - {payment.currency})
    if others:
        yield _about(DiscrepancyCode.SETTLED_CURRENCY_MISMATCH, payment, payment.currency, ", ".join(others))
    elif not _adds_up(payment, payment.amount_minor, charges, terms):
        yield _about(DiscrepancyCode.SETTLED_AMOUNT_MISMATCH, payment, _amount(payment), _sums(charges))


def _adds_up(payment: Candidate, amount_minor: int, charges: Sequence[Entry], terms: SettlementTerms) -> bool:
    """Whether charges bring what was paid, or, where it is paid in instalments, some of it so far."""
    if _brings(amount_minor, charges, terms):
        return True
    if sum(each.amount_minor for each in charges) >= amount_minor:
        return False
    return _are_of_plan(payment, charges, terms) if _is_in_instalments(payment) else _are_to_come(charges)


def _are_of_plan(payment: Candidate, charges: Sequence[Entry], terms: SettlementTerms) -> bool:
    """Whether charges are instalments that a payment tells of: not all of them, and the first, where it is another
    amount than the others, once.
    """
    if len(charges) >= (payment.instalments or 1) or not all(_is_of(each, payment, terms) for each in charges):
        return False
    periodical = [each for each in charges if _brings(payment.periodical_minor, [each], terms)]
    return _has_unknown_parts(payment) or len(charges) - len(periodical) <= 1


def _are_to_come(charges: Sequence[Entry]) -> bool:
    """Whether instalments that only reports know of, since they were agreed with the acquirer, are still to come. Where
    no row says how many there are, they are if there is a second.
    """
    counts = [each.instalments for each in charges if each.instalments is not None]
    return len(charges) < max(counts) if counts else any(map(_is_later_instalment, charges))


def _is_of(entry: Entry, payment: Candidate, terms: SettlementTerms) -> bool:
    """Whether an entry's amount is that of a payment or of one of its instalments; any lesser one, where those are
    unknown.
    """
    parts = (payment.amount_minor, payment.first_minor, payment.periodical_minor)
    if any(_brings(part, [entry], terms) for part in parts):
        return True
    is_one_of_several = _is_in_instalments(payment) or (entry.instalments or 1) > 1
    is_lesser = payment.amount_minor is not None and entry.amount_minor < payment.amount_minor
    return is_one_of_several and _has_unknown_parts(payment) and is_lesser


def _is_later_instalment(entry: Entry) -> bool:
    return (entry.instalment or 1) > 1


def _is_in_instalments(payment: Candidate) -> bool:
    return (payment.instalments or 1) > 1


def _has_unknown_parts(payment: Candidate) -> bool:
    return payment.first_minor is None and payment.periodical_minor is None


def _brings(amount_minor: int | None, entries: Sequence[Entry], terms: SettlementTerms) -> bool:
    """Whether entries bring an amount, with or without the fees that they state, less the tolerance for each. Some
    reports write what they deduct with a minus. One that nobody knows is brought by none.
    """
    if amount_minor is None:
        return False
    net_minor = sum(each.amount_minor for each in entries)
    fees_minor = abs(sum(each.fee_minor or 0 for each in entries))
    tolerance_minor = terms.fee_tolerance_minor * len(entries)
    return any(0 <= amount_minor - each <= tolerance_minor for each in (net_minor, net_minor + fees_minor))


def unmatched(entry: Entry, found: str = "none") -> Discrepancy:
    """The discrepancy of an entry that no payment is matched to."""
    return Discrepancy(DiscrepancyCode.MISSING_IN_ARCHIVE, None, f"a payment for {_row(entry)}", found, entry.entry_id)


def ambiguous(entry: Entry, payments: Sequence[Candidate], terms: SettlementTerms) -> Discrepancy:
    """The discrepancy of an entry that several of some payments fit to."""
    fitting = sorted({each.reference for each in _fitting(entry, payments, terms)[1]})
    named = ", ".join(fitting[:_MOST_NAMED]) + (" and others" if len(fitting) > _MOST_NAMED else "")
    expected = f"one payment for {_row(entry)}"
    return Discrepancy(DiscrepancyCode.AMBIGUOUS_MATCH, None, expected, f"several, of {named}", entry.entry_id)


def coverage_of(entries: Iterable[Entry], terms: SettlementTerms) -> Days | None:
    """Return the days that a report has the charges of; None where it tells of none.

    A charge tells of its day of payment, or of its settlement where that is all it has. One that is late, or a later
    instalment, tells of nothing: the other charges of its day stand in reports of before.
    """
    first = last = None
    for entry in entries:
        day = _told_of(entry, terms)
        if day:
            first, last = min(first or day, day), max(last or day, day)
    return Days(first, last) if first and last else None


def _told_of(entry: Entry, terms: SettlementTerms) -> date | None:
    if entry.kind is not EntryKind.CHARGE or _is_later_instalment(entry):
        return None
    if entry.paid_on is None:
        return entry.settled_on
    return None if _is_late(entry.paid_on, entry.settled_on, terms) else entry.paid_on


def merged(days: Iterable[Days]) -> list[Days]:
    """Return the same days in as few stretches as there are, in order."""
    stretches: list[Days] = []
    for each in sorted(days):
        if stretches and (each.first - stretches[-1].last).days <= 1:
            stretches[-1] = Days(stretches[-1].first, max(stretches[-1].last, each.last))
        else:
            stretches.append(each)
    return stretches


def last_missed(today: date, terms: SettlementTerms) -> date:
    """The last day of payment of which a settlement would be late by now."""
    return today - timedelta(days=terms.late_after_days + 1)


def _is_late(paid_on: date, settled_on: date, terms: SettlementTerms) -> bool:
    return (settled_on - paid_on).days > terms.late_after_days


def _due(paid_on: date, terms: SettlementTerms) -> date:
    return paid_on + timedelta(days=terms.late_after_days)


def _about(code: DiscrepancyCode, payment: Candidate, expected: str, found: str) -> Discrepancy:
    shown = None if payment.transaction_id is None else masked(payment.transaction_id)
    return Discrepancy(code, shown, expected, found, payment.payment_id, payment.payment_id)


def _row(entry: Entry) -> str:
    return f"the {entry.kind} of {_money(entry.amount_minor, entry.currency)} settled on {entry.settled_on}"


def _amount(payment: Candidate) -> str:
    return _money(payment.amount_minor, payment.currency)


def _sums(entries: Sequence[Entry]) -> str:
    """What some entries come to in each currency, in words."""
    return ", ".join(_money(amount_minor, currency) for currency, amount_minor in sorted(_by_currency(entries).items()))


def _by_currency(entries: Sequence[Entry]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for each in entries:
        sums[each.currency] += each.amount_minor
    return sums


def _money(amount_minor: int | None, currency: str | None) -> str:
    return amount_text(amount_minor, currency, exponent_of(currency))
