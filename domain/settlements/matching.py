"""Matches the entries of settlement reports to payments, and finds what differs.

Outcomes follow from payments, entries and the day alone, not from the order of arrival or from earlier outcomes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from domain.payments.amounts import amount_text, exponent_of
from domain.payments.discrepancies import discrepancy
from domain.secrets.cards import masked
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.payments import Standing
from models.said import Said, Sentence, verbatim
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

MAY_BE_SETTLED = frozenset({Standing.CHARGED, Standing.HELD, Standing.UNKNOWN})
"""A hold may have been charged since, and an unknown standing may be a charge. According to its archive, a verified or
failed payment took no money: an entry for it contradicts the archive, and no match may hide that.
"""
MATCHED = frozenset({Match.CGUID, Match.AUTHORISATION})
_ONE_DAY = timedelta(days=1)
_MOST_NAMED = 3
NONE = Sentence.none()


def decide(entry: Entry, payments: Sequence[Candidate], terms: SettlementTerms) -> Decision:
    """Return the payment to which an entry belongs. If two payments fit, the entry is matched to neither.

    The payment has the entry's cguid. Where entry or payment has no cguid, it has the entry's authorisation number,
    last four digits, amount and day. A refund or chargeback may be later and take back a part.

    Args:
        payments: at least all payments with the entry's cguid or authorisation number.
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
    """Return the archives with a payment that fits an entry, regardless of other payments."""
    able = [each for each in payments if each.standing in MAY_BE_SETTLED]
    by_cguid = {each.reference for each in able if _has_cguid(each, entry)}
    rest = [each for each in able if each.reference not in by_cguid and _has_authorisation(each, entry)]
    fitting = (each for each in rest if _has_amount_and_day(each, entry, terms) or _may_go_back(each, entry))
    return by_cguid.union(each.reference for each in fitting)


def differing(entry: Entry, payment: Candidate) -> list[str]:
    """Return in what an entry and a payment differ, by names. A missing value differs from nothing."""
    values = {
        "cguid": (entry.cguid_fingerprint, payment.cguid_fingerprint),
        "authorisation": (entry.authorisation_fingerprint, payment.authorisation_fingerprint),
        "card": (entry.card_last4, payment.card_last4),
        "currency": (entry.currency, payment.currency),
        "amount": (abs(entry.amount_minor), payment.amount_minor),
        "day": (entry.paid_on, payment.paid_on),
    }
    found = [name for name, pair in values.items() if None not in pair and len(set(pair)) > 1]
    return found if payment.standing in MAY_BE_SETTLED else [*found, "standing"]


def _has_cguid(payment: Candidate, entry: Entry) -> bool:
    return entry.cguid_fingerprint is not None and payment.cguid_fingerprint == entry.cguid_fingerprint


def _has_authorisation(payment: Candidate, entry: Entry) -> bool:
    """Return whether entry and payment match by authorisation number. A missing value matches nothing.

    If both have a cguid, the cguids alone decide.
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
    unsigned = replace(entry, amount_minor=abs(entry.amount_minor))  # a reversal belongs to its chargeback's payment
    return (
        entry.paid_on is not None
        and payment.paid_on is not None
        and abs(payment.paid_on - entry.paid_on) <= _ONE_DAY
        and _is_of(unsigned, payment, terms)
    )


def _may_go_back(payment: Candidate, entry: Entry) -> bool:
    """Return whether an entry takes back at most the amount that was paid, and not before the payment."""
    return (
        entry.kind is not EntryKind.CHARGE
        and payment.amount_minor is not None
        and abs(entry.amount_minor) <= payment.amount_minor
        and payment.paid_on is not None
        and payment.paid_on <= entry.settled_on
    )


def judge_archive(
    payments: Sequence[Candidate],
    entries: Sequence[DecidedEntry],
    coverage: Sequence[Days],
    terms: SettlementTerms,
    today: date,
) -> list[Discrepancy]:
    """Return the discrepancies between an archive's payments and the provider's reports.

    Args:
        payments: the payments of one archive, each once.
        entries: all entries that lead to the archive.
        coverage: the days whose charges are in the reports.
        today: the current day. A payment whose settlement is not late yet is not reported as missing.
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
    return found + [unmatched(entry, Sentence.no_money()) for entry in of_payment[None]]


def _missed(payment: Candidate, coverage: Sequence[Days], terms: SettlementTerms, today: date) -> Iterator[Discrepancy]:
    """Report a payment without an entry, if reports cover its day and its settlement is overdue."""
    if (
        payment.standing is not Standing.CHARGED
        or payment.paid_on is None
        or payment.paid_on > last_missed(today, terms)
    ):
        return
    if any(days.first <= payment.paid_on <= days.last for days in coverage):
        expected = Sentence.settled_by(amount=_amount(payment), day=str(_due(payment.paid_on, terms)))
        yield _about(DiscrepancyCode.MISSING_IN_SETTLEMENT, payment, expected, Sentence.none())


def _taken_back(payment: Candidate, entries: Sequence[Entry]) -> Iterator[Discrepancy]:
    for kind, code in (
        (EntryKind.REFUND, DiscrepancyCode.REFUNDED),
        (EntryKind.CHARGEBACK, DiscrepancyCode.CHARGED_BACK),
    ):
        back = [each for each in entries if each.kind is kind]
        if any(amount_minor > 0 for amount_minor in _by_currency(back).values()):
            found = Sentence.amount_on(amount=_sums(back), day=str(back[-1].settled_on))
            yield _about(code, payment, verbatim(_amount(payment)), found)


def _judge_charges(payment: Candidate, charges: Sequence[Entry], terms: SettlementTerms) -> Iterator[Discrepancy]:
    """Judge the charges of a payment, at least one, in order of their settlement."""
    first = next((each for each in charges if not _is_later_instalment(each)), None)
    paid_on = payment.paid_on or (first and first.paid_on)
    if first and paid_on and _is_late(paid_on, first.settled_on, terms):
        due = Sentence.by_day(day=str(_due(paid_on, terms)))
        yield _about(DiscrepancyCode.SETTLED_LATE, payment, due, verbatim(str(first.settled_on)))
    if payment.currency is None or payment.amount_minor is None:
        return  # a missing amount or currency is a discrepancy of its own
    others = sorted({each.currency for each in charges} - {payment.currency})
    if others:
        currency, found = verbatim(payment.currency), verbatim(", ".join(others))
        yield _about(DiscrepancyCode.SETTLED_CURRENCY_MISMATCH, payment, currency, found)
    elif not _adds_up(payment, payment.amount_minor, charges, terms):
        amount, sums = verbatim(_amount(payment)), verbatim(_sums(charges))
        yield _about(DiscrepancyCode.SETTLED_AMOUNT_MISMATCH, payment, amount, sums)


def _adds_up(payment: Candidate, amount_minor: int, charges: Sequence[Entry], terms: SettlementTerms) -> bool:
    """Return whether charges add up to the payment or, for instalments, to a plausible part of it so far."""
    if _brings(amount_minor, charges, terms):
        return True
    if sum(each.amount_minor for each in charges) >= amount_minor:
        return False
    return _are_of_plan(payment, charges, terms) if _is_in_instalments(payment) else _are_to_come(charges)


def _are_of_plan(payment: Candidate, charges: Sequence[Entry], terms: SettlementTerms) -> bool:
    """Return whether charges are some of a payment's instalments. A first instalment with an amount of its own may
    occur once.
    """
    if len(charges) >= (payment.instalments or 1) or not all(_is_of(each, payment, terms) for each in charges):
        return False
    periodical = [each for each in charges if _brings(payment.periodical_minor, [each], terms)]
    return _has_unknown_parts(payment) or len(charges) - len(periodical) <= 1


def _are_to_come(charges: Sequence[Entry]) -> bool:
    """Return whether more instalments are due that only the reports show, since they were agreed with the acquirer.

    Where no entry says how many instalments there are, a second instalment means that more are due.
    """
    counts = [each.instalments for each in charges if each.instalments is not None]
    return len(charges) < max(counts) if counts else any(map(_is_later_instalment, charges))


def _is_of(entry: Entry, payment: Candidate, terms: SettlementTerms) -> bool:
    """Return whether an entry's amount is the amount of a payment or of one of its instalments. Where the amounts of
    the instalments are unknown, any smaller amount fits.
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
    """Return whether entries, with or without fees, add up to an amount or miss it by at most their tolerances.

    Some reports write deductions with a minus. An unknown amount returns False.
    """
    if amount_minor is None:
        return False
    net_minor = sum(each.amount_minor for each in entries)
    fees_minor = abs(sum(each.fee_minor or 0 for each in entries))
    tolerance_minor = terms.fee_tolerance_minor * len(entries)
    return any(0 <= amount_minor - each <= tolerance_minor for each in (net_minor, net_minor + fees_minor))


def unmatched(entry: Entry, found: Said = NONE) -> Discrepancy:
    """Return the discrepancy of an entry without a matched payment."""
    expected = Sentence.payment_for(**_row(entry))
    return discrepancy(DiscrepancyCode.MISSING_IN_ARCHIVE, None, expected, found, entry.entry_id)


def ambiguous(entry: Entry, payments: Sequence[Candidate], terms: SettlementTerms) -> Discrepancy:
    """Return the discrepancy of an entry that fits several payments."""
    fitting = sorted({each.reference for each in _fitting(entry, payments, terms)[1]})
    expected = Sentence.one_payment_for(**_row(entry))
    several = Sentence.several_in_more if len(fitting) > _MOST_NAMED else Sentence.several_in
    found = several(named=fitting[:_MOST_NAMED])
    return discrepancy(DiscrepancyCode.AMBIGUOUS_MATCH, None, expected, found, entry.entry_id)


def coverage_of(entries: Iterable[Entry], terms: SettlementTerms) -> Days | None:
    """Return the days whose charges a report contains, or None.

    A charge shows that its day of payment is covered, or its day of settlement if it has no day of payment. A late
    charge or a later instalment shows nothing, because the other charges of its day are in earlier reports.
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
    """Return the same days in as few stretches as possible, in order."""
    stretches: list[Days] = []
    for each in sorted(days):
        if stretches and (each.first - stretches[-1].last).days <= 1:
            stretches[-1] = Days(stretches[-1].first, max(stretches[-1].last, each.last))
        else:
            stretches.append(each)
    return stretches


def last_missed(today: date, terms: SettlementTerms) -> date:
    """Return the last day of payment for which a settlement would be late today."""
    return today - timedelta(days=terms.late_after_days + 1)


def _is_late(paid_on: date, settled_on: date, terms: SettlementTerms) -> bool:
    return (settled_on - paid_on).days > terms.late_after_days


def _due(paid_on: date, terms: SettlementTerms) -> date:
    return paid_on + timedelta(days=terms.late_after_days)


def _about(code: DiscrepancyCode, payment: Candidate, expected: Said, found: Said) -> Discrepancy:
    shown = None if payment.transaction_id is None else masked(payment.transaction_id)
    return discrepancy(code, shown, expected, found, payment.payment_id, payment.payment_id)


def _row(entry: Entry) -> dict[str, Any]:
    """Return the values by which a row of a report is named."""
    amount = _money(entry.amount_minor, entry.currency)
    return {"kind": Said(f"kind_{entry.kind}"), "amount": amount, "day": str(entry.settled_on)}


def _amount(payment: Candidate) -> str:
    return _money(payment.amount_minor, payment.currency)


def _sums(entries: Sequence[Entry]) -> str:
    """Return the sums of entries by currency, as people write them."""
    return ", ".join(_money(amount_minor, currency) for currency, amount_minor in sorted(_by_currency(entries).items()))


def _by_currency(entries: Sequence[Entry]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for each in entries:
        sums[each.currency] += each.amount_minor
    return sums


def _money(amount_minor: int | None, currency: str | None) -> str:
    return amount_text(amount_minor, currency, exponent_of(currency))
