"""What an installation knows about its payments and no payload states: units, meanings of types, the time zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from models.payments.payment import Standing

AmountUnit = Literal["minor", "major"]


@dataclass(frozen=True, slots=True)
class PaymentType:
    """The meaning of a success of a type. If `needs_authorisation`, it counts only with an authorisation number."""

    standing: Standing
    needs_authorisation: bool


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """The terms by which payments are booked.

    `unit` is the unit of `payments[].amount`. `successes` and `failures` are the statuses of successful and of failed
    payments. `results` maps members of the provider's result to the values that mean success. All words are in lower
    case. `zone` is the time zone of the provider's days: the day of a payment, and today.
    """

    unit: AmountUnit
    types: Mapping[str, PaymentType]
    successes: frozenset[str]
    failures: frozenset[str]
    results: Mapping[str, frozenset[str]]
    zone: tzinfo
