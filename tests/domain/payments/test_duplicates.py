"""Payments that stand more than once: cases of each code, and near misses."""

from collections import defaultdict

import pytest

from domain.payments.duplicates import Booked, duplicates


def booked(text: str) -> Booked:
    """A payment from `reference transaction fingerprint`; `-` is none."""
    reference, transaction_id, fingerprint = (None if part == "-" else part for part in text.split())
    return Booked(str(reference), f"id of {text}", transaction_id, fingerprint)


def found(own: str, *others: str) -> list[tuple[str, str]]:
    """What is found of a payment of `r` beside others: codes and the archives that are named."""
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
    ("DUPLICATE_TRANSACTION", "r t f", ["a t f"], "also in a"),  # the provider's is the same, as it has to be
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


@pytest.mark.parametrize(("code", "own", "others", "told"), FIRES)
def test_duplicate_is_found_once(code: str, own: str, others: list[str], told: str) -> None:
    assert found(own, *others) == [(code, told)]


@pytest.mark.parametrize(("code", "own", "others"), NEAR_MISSES)
def test_near_miss_is_no_duplicate(code: str, own: str, others: list[str]) -> None:
    assert (code, found(own, *others)) == (code, [])


def test_both_are_told_of_one_payment() -> None:
    assert found("r t f", "a t g", "b u f") == [
        ("DUPLICATE_TRANSACTION", "also in a"),
        ("DUPLICATE_PROVIDER_TRANSACTION", "also in b"),
    ]


def test_what_a_client_typed_for_a_transaction_is_masked() -> None:
    own, other = (Booked(reference, reference, "4580458045804580", None) for reference in "ra")

    (duplicate,) = duplicates([own], {"4580458045804580": [own, other]}, {})

    assert duplicate.transaction_id == "************4580"
