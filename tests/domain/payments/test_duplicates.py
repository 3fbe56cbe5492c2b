"""Payments that appear more than once: cases of each code, and near misses."""

from collections import defaultdict

import pytest

from domain.payments.duplicates import Booked, duplicates


def booked(text: str) -> Booked:
    """Return a payment from `reference transaction fingerprint`; `-` means none."""
    reference, transaction_id, fingerprint = (None if part == "-" else part for part in text.split())
    return Booked(str(reference), f"id of {text}", transaction_id, fingerprint)


def found(own: str, *others: str) -> list[tuple[str, str]]:
    """Return codes and named archives of the duplicates of a payment of `r` among `others`."""
    mine, all_booked = booked(own), [booked(text) for text in (own, *others)]
    by_transaction, by_provider = defaultdict[str, list[Booked]](list), defaultdict[str, list[Booked]](list)
    for each in all_booked:
        by_transaction[each.transaction_id or ""].append(each)
        by_provider[each.cguid_fingerprint or ""].append(each)
    by_transaction.pop("", None)
    by_provider.pop("", None)
    return [(each.code, each.found) for each in duplicates([mine], by_transaction, by_provider)]


FIRES = [
    ("DUPLICATE_TRANSACTION", "r t f", ["a t g"], "also in a"),
    ("DUPLICATE_TRANSACTION", "r t -", ["b t -", "a t -"], "also in a, b"),
    ("DUPLICATE_TRANSACTION", "r t f", ["a t f"], "also in a"),  # the same provider transaction is no second finding
    ("DUPLICATE_TRANSACTION", "r t -", ["e t -", "d t -", "c t -", "b t -"], "also in b, c, d and others"),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["r u f"], "also in r"),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["a u f", "b v f"], "also in a, b"),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["a - f"], "also in a"),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r - f", ["a - f"], "also in a"),
]
NEAR_MISSES = [
    ("DUPLICATE_TRANSACTION", "r t f", []),
    ("DUPLICATE_TRANSACTION", "r t f", ["r t g"]),  # attempts at one payment
    ("DUPLICATE_TRANSACTION", "r t -", ["a u -"]),
    ("DUPLICATE_TRANSACTION", "r - -", ["a - -"]),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["a u g"]),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["r t f"]),  # attempts at one payment
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t -", ["a u -"]),
]


@pytest.mark.parametrize(("code", "own", "others", "expected"), FIRES)
def test_duplicate_is_reported_once(code: str, own: str, others: list[str], expected: str) -> None:
    assert found(own, *others) == [(code, expected)]


@pytest.mark.parametrize(("code", "own", "others"), NEAR_MISSES)
def test_near_miss_is_not_a_duplicate(code: str, own: str, others: list[str]) -> None:
    assert (code, found(own, *others)) == (code, [])


def test_payment_may_have_both_kinds_of_duplicates() -> None:
    assert found("r t f", "a t g", "b u f") == [
        ("DUPLICATE_TRANSACTION", "also in a"),
        ("DUPLICATE_PROVIDER_TRANSACTION", "also in b"),
    ]


def test_card_number_in_place_of_a_transaction_id_is_masked() -> None:
    own, other = (Booked(reference, reference, "4580458045804580", None) for reference in "ra")

    (duplicate,) = duplicates([own], {"4580458045804580": [own, other]}, {})

    assert duplicate.transaction_id == "************4580"
