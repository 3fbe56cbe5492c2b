"""Reconciles an archive's payments with its form, its sessions and its earlier versions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from domain.payments.booking import BookedPayment, booked, names
from domain.payments.discrepancies import bounded, discrepancy, worded
from domain.payments.identity import payment_id
from domain.payments.standing import contradiction, is_failure, is_success, succeeded_type
from domain.secrets.cards import last_four, masked
from models.archive.archive import Archive, FormField
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.payments import Attempt, PaymentTerms, Standing
from models.said import Said, Sentence, said_of, verbatim

_MISSING = Sentence.missing_or_unknown()


def reconcile(archive: Archive, terms: PaymentTerms) -> list[Discrepancy]:
    """Return the discrepancies between an archive's payments, form and sessions, bounded.

    Amounts are integers of minor units of their currency (ISO 4217). Order follows the payload. Pure.

    Source: Cellosign, "Outbound: Webhooks Archive", elements payments and data.
    """
    return list(bounded(_found(archive, terms)))


def _found(archive: Archive, terms: PaymentTerms) -> Iterator[Discrepancy]:
    sessions = {session.id for session in archive.sessions if session.id is not None}
    referred = {transaction_of(field) for field in archive.fields}
    payments = booked(archive, terms)
    for payment in payments:
        its_id = payment_id(archive.reference, payment.attempt.transaction_id, payment.name)
        its = chain(
            _judge_field(payment, referred),
            _judge_attempt(payment, sessions),
            _judge_others(payment, sessions),
            _judge_status(payment, terms),
        )
        yield from (replace(each, payment_id=its_id) for each in its)
    yield from _fields_without_payment(archive.fields, payments)


def transaction_of(field: FormField) -> str | None:
    """Return the transaction that a payment field refers to. An empty field is a payment that was not made."""
    if field.type != "payment" or not isinstance(field.value, str | int | float) or isinstance(field.value, bool):
        return None
    return str(field.value).strip() or None


def _fields_without_payment(fields: Iterable[FormField], payments: Iterable[BookedPayment]) -> Iterator[Discrepancy]:
    made = {payment.attempt.transaction_id for payment in payments}
    for position, field in enumerate(fields):
        transaction_id = transaction_of(field)
        has_structure = field.type == "payment" and isinstance(field.value, list | dict) and len(field.value) > 0
        if has_structure or (transaction_id is not None and transaction_id not in made):
            # The client may have typed anything here, even a card number.
            shown = masked(transaction_id) if transaction_id else None
            expected, found = Sentence.some_payment(), Sentence.none()
            yield discrepancy(DiscrepancyCode.FIELD_WITHOUT_PAYMENT, shown, expected, found, f"data[{position}]")


def _judge_field(payment: BookedPayment, referred: set[str | None]) -> Iterator[Discrepancy]:
    attempt = payment.attempt
    is_referred_to = attempt.transaction_id is not None and attempt.transaction_id in referred
    if not is_referred_to and payment.standing is not Standing.FAILED:
        yield _discrepancy(DiscrepancyCode.PAYMENT_WITHOUT_FIELD, payment, Sentence.payment_field(), Sentence.none())


def _judge_attempt(payment: BookedPayment, sessions: set[str]) -> Iterator[Discrepancy]:
    """Judge the attempt by which a payment is booked."""
    if payment.attempt.session_id not in sessions:
        yield _discrepancy(DiscrepancyCode.UNKNOWN_SESSION, payment, Sentence.own_session(), _MISSING)
    yield from _judge_amounts(payment)
    yield from _judge_instalments(payment)
    yield from _judge_card(payment)


def _judge_others(payment: BookedPayment, sessions: set[str]) -> Iterator[Discrepancy]:
    """Judge the other attempts that charged or held money. An attempt of unknown standing, such as a pending attempt,
    may lack amount and card.
    """
    attempts = enumerate(payment.payment.attempts, start=1)
    numbers = (number for number, attempt in attempts if attempt is not payment.attempt)
    for number, other in zip(numbers, payment.others, strict=True):
        if other.standing in (Standing.CHARGED, Standing.HELD):
            yield from (_of_attempt(number, each) for each in _judge_attempt(other, sessions))


def _of_attempt(number: int, its: Discrepancy) -> Discrepancy:
    """Name the attempt in a discrepancy, because the view of its payment shows another attempt."""
    found = Sentence.in_attempt(found=its.values["found"], number=number)
    subject = f"{its.subject} attempt {number}".strip()
    return worded(replace(its, subject=subject), said_of(its.values["expected"]), found)


def _judge_amounts(payment: BookedPayment) -> Iterator[Discrepancy]:
    """Judge the amounts of a payment. A failed payment took no money, so it may lack amount and currency."""
    amounts, attempt, has_failed = payment.amounts, payment.attempt, payment.standing is Standing.FAILED
    if amounts.exponent is None and not (has_failed and attempt.currency is None):
        yield _discrepancy(DiscrepancyCode.BAD_CURRENCY, payment, Sentence.iso_currency(), _MISSING)
    if amounts.fault and not (has_failed and attempt.amount is None):
        yield _discrepancy(DiscrepancyCode.BAD_AMOUNT, payment, Sentence.whole_amount(), amounts.fault())
    if attempt.provider_total is not None and amounts.total_minor is None:
        expected, found = Sentence.whole_total(), Sentence.fraction_of_total()
        yield _discrepancy(DiscrepancyCode.BAD_AMOUNT, payment, expected, found, "total")
    if amounts.amount_minor is None or amounts.total_minor is None or amounts.amount_minor == amounts.total_minor:
        return
    smaller, larger = sorted((amounts.amount_minor, amounts.total_minor), key=abs)
    same_in_other_unit = amounts.exponent and larger == smaller * 10**amounts.exponent
    code = DiscrepancyCode.UNIT_MISMATCH if same_in_other_unit else DiscrepancyCode.AMOUNT_MISMATCH
    expected, found = (verbatim(payment.text_of(each)) for each in (amounts.total_minor, amounts.amount_minor))
    yield _discrepancy(code, payment, expected, found)


def _judge_instalments(payment: BookedPayment) -> Iterator[Discrepancy]:
    amounts, sums = payment.amounts, payment.instalments.sums_minor
    if sums:
        total = amounts.amount_minor if amounts.total_minor is None else amounts.total_minor
        amount, *more = [payment.text_of(each) for each in dict.fromkeys(sums)]
        expected = Sentence.in_instalments(amount=payment.text_of(total))
        found = Sentence.in_instalments(amount=Sentence.either(amount=amount, more=more) if more else amount)
        yield _discrepancy(DiscrepancyCode.AMOUNT_MISMATCH, payment, expected, found, "instalments")


def _judge_status(payment: BookedPayment, terms: PaymentTerms) -> Iterator[Discrepancy]:
    """Judge the status of every attempt, since any attempt may have taken money."""
    for number, attempt in enumerate(payment.payment.attempts, start=1):
        for expected, found in _conflicts(attempt, terms):
            conflict = _discrepancy(DiscrepancyCode.STATUS_CONFLICT, payment, expected, found)
            yield conflict if attempt is payment.attempt else _of_attempt(number, conflict)


def _conflicts(attempt: Attempt, terms: PaymentTerms) -> Iterator[tuple[Said, Said]]:
    """Return expected and found for each contradiction of an attempt about its own success."""
    type_, contrary = succeeded_type(attempt, terms), contradiction(attempt, terms)
    if contrary and is_success(attempt):
        expected = " or ".join(sorted(terms.results[contrary]))
        found = Sentence.success_with(member=contrary, result=attempt.results[contrary])
        yield Sentence.success_with(member=contrary, result=expected), found
    elif type_ and type_.needs_authorisation and attempt.authorisation is None:
        yield Sentence.success_authorised(), Sentence.success_unauthorised()
    if is_failure(attempt) and attempt.authorisation is not None:
        yield Sentence.failure_unauthorised(), Sentence.failure_authorised()


def _judge_card(payment: BookedPayment) -> Iterator[Discrepancy]:
    attempt = payment.attempt
    in_mask, in_number = last_four(attempt.card_mask), attempt.card_no_last4
    if in_mask and in_number and in_mask != in_number:
        expected, found = (Sentence.card_ends_in(digits=each) for each in (in_mask, in_number))
        yield _discrepancy(DiscrepancyCode.CARD_CONFLICT, payment, expected, found)
    if payment.standing is Standing.FAILED or attempt.card_expires is None or payment.paid_on is None:
        return
    if attempt.card_expires < payment.paid_on.replace(day=1):
        expected = Sentence.card_valid_in(month=f"{payment.paid_on:%Y-%m}")
        found = Sentence.valid_until(month=f"{attempt.card_expires:%Y-%m}")
        yield _discrepancy(DiscrepancyCode.CARD_EXPIRED, payment, expected, found)


def vanished(current: Sequence[BookedPayment], older: Iterable[Sequence[BookedPayment]]) -> list[Discrepancy]:
    """Return a discrepancy for each payment charged in an older version and absent from the current version. Pure.

    A payment is identified by its transaction id or by the provider's (`cguid`). A payment without either cannot be
    found in another version. A payment that is no longer charged, or is now an attempt that does not decide, has not
    vanished. If several older versions have a payment, the newest version counts.

    Args:
        older: the payments of each version that it superseded, newest first.
    """
    seen = _identities(*(attempt for payment in current for attempt in payment.payment.attempts))
    gone: list[BookedPayment] = []
    for payment in (payment for version in older for payment in version):
        identities = _identities(payment.attempt)
        if payment.standing is Standing.CHARGED and identities:
            is_new = not identities & seen
            # Include its other attempts and earlier ids: an older version may know the payment by these alone.
            seen |= _identities(*payment.payment.attempts)
            if is_new:
                gone.append(payment)
    # Payments of two versions may share a name, so the vanished payments are named anew.
    return [
        _discrepancy(DiscrepancyCode.PAYMENT_VANISHED, replace(payment, name=name), _charge(payment), Sentence.none())
        for payment, name in zip(gone, names(each.payment for each in gone), strict=True)
    ]


def _charge(payment: BookedPayment) -> Said:
    is_known = payment.amounts.amount_minor is not None
    return Sentence.charge_of(amount=payment.amount_text()) if is_known else Sentence.charge_unknown()


def _identities(*attempts: Attempt) -> set[tuple[str, str]]:
    named = (pair for each in attempts for pair in (("transaction", each.transaction_id), ("provider's", each.cguid)))
    return {(kind, identity) for kind, identity in named if identity is not None}


def _discrepancy(
    code: DiscrepancyCode, payment: BookedPayment, expected: Said, found: Said, part: str = ""
) -> Discrepancy:
    """Return a discrepancy of a payment. `part` distinguishes discrepancies with the same code and payment."""
    transaction_id = payment.attempt.transaction_id
    name = "" if payment.name == transaction_id else payment.name
    shown = None if transaction_id is None else masked(transaction_id)
    return discrepancy(code, shown, expected, found, " ".join(filter(None, (name, part))))
