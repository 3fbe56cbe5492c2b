"""Makes payments as Cellosign reports them: its record around a result of the provider (Credit Guard MPI, now Hyp)."""

from random import Random
from typing import Any, Literal

from cli.simulation.payloads.identifiers import uuid4_text

PaymentType = Literal["charge", "verify_credit_card", "hold"]


# brand, credit company, first digits
_CARDS = (
    ("Visa", "Visa", "458045"),
    ("Mastercard", "Isracard", "532610"),
    ("Diners", "Diners", "36453"),
    ("Isracard", "Isracard", "458000"),
)


def payment(  # noqa: PLR0913 - all are named, and scenarios vary each of them
    rng: Random,
    *,
    transaction_id: str,
    session_id: str,
    kind: PaymentType,
    amount: int,
    currency: str = "ILS",
    provider_total: int | None = None,
    succeeds: bool = True,
) -> dict[str, Any]:
    """Return an element of an archive's `payments`.

    `amount` and `provider_total` are minor units of `currency`; without `provider_total` the provider's total is the
    amount, as it should be.
    """
    result = _provider_result(rng, currency, amount if provider_total is None else provider_total)
    if not succeeds:
        result |= {"result_code": "004", "result_text": "Refused by the card company", "auth_number": ""}
    return {
        "status": "success" if succeeds else "failure",
        "type": kind,
        "transaction_id": transaction_id,
        "session_id": session_id,
        "provider_transaction_reference": uuid4_text(rng),
        "provider_transaction_result": result,
        "amount": amount,
    }


def _provider_result(rng: Random, currency: str, total: int) -> dict[str, str]:
    brand, company, prefix = rng.choice(_CARDS)
    last_four = f"{rng.randrange(10_000):04}"
    return {
        "currency": currency,
        "card_mask": f"{prefix:*<12}{last_four}",
        "internal_transaction_id": str(rng.randrange(10_000_000, 99_999_999)),
        "club_code": "",
        "credit_company": company,
        "club_id": "",
        "card_id": _card_token(rng, last_four),
        "session_cd": rng.randbytes(32).hex(),
        "card_expiration": f"{rng.randrange(1, 13):02}{rng.randrange(27, 33)}",
        "card_brand": brand,
        "card_aquirer": "Alphacard",  # spelt like this by the provider
        "total": str(total),
        "card_no": f"{'x' * 12}{last_four}",
        "life_style": "1",
        "cguid": str(rng.randrange(10_000_000, 99_999_999)),
        "auth_number": f"{rng.randrange(10_000_000):07}",
    }


def _card_token(rng: Random, last_four: str) -> str:
    """Return 16 digits that pass the Luhn check and end in the card's last four, like the provider's token.

    They begin with 1080, which no card company issues.
    """
    head = f"1080{rng.randrange(10_000_000):07}"
    return next(token for digit in "0123456789" if _passes_luhn(token := f"{head}{digit}{last_four}"))


def _passes_luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0
