"""What an installation knows of its payments that no payload says: units, what types mean, whose day it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from models.payments.payment import Standing

AmountUnit = Literal["minor", "major"]


@dataclass(frozen=True, slots=True)
class PaymentType:
    """What a success of a type means. With `needs_authorisation` it is none without an authorisation number."""

    standing: Standing
    needs_authorisation: bool


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """`unit` is that of `payments[].amount`. `successes` and `failures` are the statuses of payments that succeeded and
    that failed, in lower case. `results` are the members of the provider's result that tell whether it succeeded, each
    with what it says then, in lower case. `zone` is that of the provider's days: the one on which something was paid,
    and today.
    """

    unit: AmountUnit
    types: Mapping[str, PaymentType]
    successes: frozenset[str]
    failures: frozenset[str]
    results: Mapping[str, frozenset[str]]
    zone: tzinfo
