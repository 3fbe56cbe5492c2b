"""Reconciles an archive's payments with its form and its sessions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.cards import masked
from domain.money import AmountUnit, amount_text, exponent_of, minor_units
from models.discrepancy import Discrepancy, DiscrepancyCode
from models.form_field import FormField
from models.payment import Payment, Standing
from models.session import Session

_STANDINGS = {
    "charge": Standing.CHARGED,
    "verify_credit_card": Standing.VERIFIED,
    "hold": Standing.HELD,
}


def standing_of(payment: Payment) -> Standing:
    """Return what a payment means for the books, from its status and type.

    A verification or a hold takes no money. A type or status that nobody told us of is never guessed at.
    """
    if payment.status is None:
        return Standing.UNKNOWN
    return _STANDINGS.get(payment.type or "", Standing.UNKNOWN) if payment.status == "success" else Standing.FAILED


@dataclass(frozen=True, slots=True)
class Amounts:
    """A payment's amount and the provider's total in minor units; `fault` says why `amount_minor` is None."""

    amount_minor: int | None
    total_minor: int | None
    exponent: int | None
    fault: str | None


def amounts_of(payment: Payment, unit: AmountUnit) -> Amounts:
    """Return a payment's amounts in minor units. The provider's total always is in minor units.

    Source: Credit Guard's `total`, in agorot. That `amount` is too is inferred, hence `unit`.
    """
    exponent = exponent_of(payment.currency)
    total_minor = _whole(payment.provider_total)
    if payment.amount is None:
        return Amounts(None, total_minor, exponent, "missing or no number")
    if exponent is None:
        return Amounts(None, total_minor, None, None)
    amount_minor = minor_units(payment.amount, exponent, unit)
    if amount_minor is None:
        return Amounts(None, total_minor, exponent, "a fraction of a minor unit, or beyond 64 bits")
    if standing_of(payment) is Standing.CHARGED and amount_minor <= 0:
        return Amounts(None, total_minor, exponent, "zero or negative on a charge")
    return Amounts(amount_minor, total_minor, exponent, None)


def _whole(number: Decimal | None) -> int | None:
    return None if number is None else minor_units(number, 0, "minor")


def reconcile(
    payments: Sequence[Payment], fields: Sequence[FormField], sessions: Sequence[Session], unit: AmountUnit
) -> list[Discrepancy]:
    """Return what does not add up between an archive's payments, form and sessions.

    Amounts are integers of minor units of their currency (ISO 4217). Order follows the payload. Pure.

    Source: Cellosign, "Outbound: Webhooks Archive", elements payments and data.
    """
    known_sessions = {session.id for session in sessions}
    referred = {transaction_of(field) for field in fields}
    found: list[Discrepancy] = []
    for payment in payments:
        if payment.transaction_id not in referred and standing_of(payment) is not Standing.FAILED:
            found.append(_discrepancy(DiscrepancyCode.PAYMENT_WITHOUT_FIELD, payment, "a payment field", "none"))
        if payment.session_id not in known_sessions:
            found.append(
                _discrepancy(DiscrepancyCode.UNKNOWN_SESSION, payment, "a session of this archive", "none or another")
            )
        found.extend(_judge_amounts(payment, amounts_of(payment, unit)))
    found.extend(_fields_without_payment(fields, payments))
    return found


def transaction_of(field: FormField) -> str | None:
    """The transaction that a payment field refers to. An empty one is a payment that the client did not make."""
    if field.type != "payment" or not isinstance(field.value, str | int) or isinstance(field.value, bool):
        return None
    return str(field.value).strip() or None


def _fields_without_payment(fields: Iterable[FormField], payments: Iterable[Payment]) -> Iterator[Discrepancy]:
    made = {payment.transaction_id for payment in payments}
    for field in fields:
        transaction_id = transaction_of(field)
        if transaction_id is not None and transaction_id not in made:
            # Whatever the client typed stands here, a card's number too.
            yield Discrepancy(DiscrepancyCode.FIELD_WITHOUT_PAYMENT, masked(transaction_id), "a payment", "none")


def _judge_amounts(payment: Payment, amounts: Amounts) -> Iterator[Discrepancy]:
    if amounts.exponent is None:
        yield _discrepancy(DiscrepancyCode.BAD_CURRENCY, payment, "an ISO 4217 currency", "missing or unknown")
    if amounts.fault:
        yield _discrepancy(DiscrepancyCode.BAD_AMOUNT, payment, "an amount in whole minor units", amounts.fault)
    if payment.provider_total is not None and amounts.total_minor is None:
        yield _discrepancy(DiscrepancyCode.BAD_AMOUNT, payment, "a provider's total in whole minor units", "another")
    if amounts.amount_minor is None or amounts.total_minor is None or amounts.amount_minor == amounts.total_minor:
        return
    smaller, larger = sorted((amounts.amount_minor, amounts.total_minor))
    same_in_other_unit = amounts.exponent and larger == smaller * 10**amounts.exponent
    code = DiscrepancyCode.UNIT_MISMATCH if same_in_other_unit else DiscrepancyCode.AMOUNT_MISMATCH
    total, amount = (
        amount_text(minor, payment.currency, amounts.exponent) for minor in (amounts.total_minor, amounts.amount_minor)
    )
    yield _discrepancy(code, payment, total, amount)


def _discrepancy(code: DiscrepancyCode, payment: Payment, expected: str, found: str) -> Discrepancy:
    shown = None if payment.transaction_id is None else masked(payment.transaction_id)
    return Discrepancy(code, shown, expected, found)
