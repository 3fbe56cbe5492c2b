"""Reads the settings that define how payments are booked."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from domain.secrets.card_secrets import is_secret
from models.payments import PaymentTerms, PaymentType, Standing

_TYPE = re.compile(r"(?P<type>[^=+\s]+)\s*=\s*(?P<standing>charged|held|verified)(?P<auth>\+auth)?")
_RESULT = re.compile(r"(?P<member>\w+)\s*=\s*(?P<value>[^=\s]+)")

SETTINGS = ("timezone", "business_timezone", "amount_unit", "payment_types", "payment_results")
"""The settings by which archives are read."""


def read_terms(made: Mapping[str, Any]) -> PaymentTerms:
    """Return the terms that decide the standing of payments, by the settings in `SETTINGS`. Pure.

    Raises ValueError if a setting is malformed.
    """
    return PaymentTerms(
        unit=made["amount_unit"],
        types=read_types(made["payment_types"]),
        results=read_results(made["payment_results"]),
        zone=ZoneInfo(made["business_timezone"] or made["timezone"]),
    )


def read_types(entries: Iterable[str]) -> Mapping[str, PaymentType]:
    """Return the meaning of a success, by payment type. Pure.

    Raises ValueError if an entry is malformed, or its type appears twice.
    """
    types: dict[str, PaymentType] = {}
    for entry in entries:
        told = _TYPE.fullmatch(entry)
        if told is None or told["type"] in types:
            raise ValueError("CELLAR_PAYMENT_TYPES: expected each type once, as in charge=charged+auth,hold=held")
        types[told["type"]] = PaymentType(Standing(told["standing"]), told["auth"] is not None)
    return MappingProxyType(types)


def read_results(entries: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Return, for each member of a provider's result, the values that mean success. Pure.

    Raises ValueError if an entry is not MEMBER=VALUE, or its member is a secret: values of these members are shown.
    """
    results: dict[str, frozenset[str]] = {}
    for entry in entries:
        told = _RESULT.fullmatch(entry)
        if told is None or is_secret(told["member"]):
            raise ValueError("CELLAR_PAYMENT_RESULTS: expected members that are not secret, as in result=000")
        results[told["member"]] = results.get(told["member"], frozenset()) | {told["value"].lower()}
    return MappingProxyType(results)
