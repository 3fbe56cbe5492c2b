"""Payments that occur in several archives are found on both sides, in any order of arrival."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from domain.payments.duplicates import MOST_NEEDED
from models.discrepancies import DUPLICATE_CODES, Discrepancy, DiscrepancyRow
from services.payments import recorded
from services.payments.duplicates import reconcile_all_duplicates, reconcile_duplicates
from tests.payments import attempt, booked, payment
from tests.records import NOON, all_of

pytestmark = pytest.mark.usefixtures("installation")


def arrived(reference: str, *payments: tuple[str | None, str | None]) -> None:
    """Load payments of an archive, by transaction and fingerprint, and reconcile duplicates as a run does."""
    load(reference, *payments)
    reconcile_duplicates(reference, NOON)


def load(reference: str, *payments: tuple[str | None, str | None]) -> None:
    rows = [
        payment(reference, transaction_id, position, cguid_fingerprint=fingerprint)
        for position, (transaction_id, fingerprint) in enumerate(payments)
    ]
    booked(reference, *rows)


def reported(*references: str) -> dict[str, list[str]]:
    """Return the duplicates of archives that are not closed, in short form."""
    return {
        reference: sorted(_short(each) for each in recorded.not_closed_by_id(reference, DUPLICATE_CODES).values())
        for reference in references
    }


def _short(found: Discrepancy) -> str:
    kind = "provider" if "PROVIDER" in found.code else "transaction"
    return f"{kind} {found.transaction_id} {found.found}"


def test_duplicates_are_found_on_both_sides_and_close_on_both() -> None:
    arrived("a", ("t", "f"))
    assert reported("a") == {"a": []}

    arrived("b", ("t", "g"), ("u", "f"))
    assert reported("a", "b") == {
        "a": ["provider t also in b", "transaction t also in b"],
        "b": ["provider u also in a", "transaction t also in a"],
    }

    arrived("b", ("v", "g"))  # its next version
    assert reported("a", "b") == {"a": [], "b": []}


def test_attempt_that_does_not_decide_is_found_under_another_transaction() -> None:
    a = payment("a", "t", cguid_fingerprint="f")
    arrived("b", ("u", "g"))
    booked("a", a, attempts=[attempt(a, number, cguid_fingerprint=each) for number, each in enumerate("fgg")])
    for _ in range(2):
        reconcile_duplicates("a", NOON)
        assert reported("a", "b") == {"a": ["provider t also in b"], "b": ["provider u also in a"]}
        reconcile_all_duplicates(NOON)

    arrived("b", ("t", "g"))  # its next version, at the same transaction
    assert reported("a", "b") == {"a": ["transaction t also in b"], "b": ["transaction t also in a"]}

    arrived("a", ("t", "f"), ("t", "f"), (None, None), ("", ""))  # without the attempt
    arrived("b", (None, None), ("", ""))
    assert reported("a", "b") == {"a": [], "b": []}


def test_concurrent_duplicates_are_found_on_both_sides() -> None:
    for number in range(5):
        pair = (f"a{number}", f"b{number}")
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda reference, t=f"t{number}": arrived(reference, (t, None)), pair))
        assert [len(each) for each in reported(*pair).values()] == [1, 1]


def test_duplicates_of_a_killed_run_are_reconciled_with_all_archives() -> None:
    load("a", ("t", None))
    load("b", ("t", None))
    reconcile_all_duplicates(NOON)
    assert reported("a", "b") == {"a": ["transaction t also in b"], "b": ["transaction t also in a"]}

    load("b")
    reconcile_all_duplicates(NOON)
    assert reported("a", "b") == {"a": [], "b": []}


def test_duplicate_in_very_many_archives_changes_only_the_new_archive() -> None:
    references = [f"r{number:02}" for number in range(2 * MOST_NEEDED)]
    for reference in references:
        arrived(reference, ("t", "f"))
    before = {each.discrepancy_id: each.found for each in all_of(select(DiscrepancyRow))}

    arrived("r99", ("t", "f"))

    assert reported("r00", "r09", "r99") == {
        "r00": ["transaction t also in r01, r02, r03 and others"],
        "r09": ["transaction t also in r00, r01, r02 and others"],
        "r99": ["transaction t also in r00, r01, r02 and others"],
    }
    after = {each.discrepancy_id: each.found for each in all_of(select(DiscrepancyRow))}
    assert (before.items() < after.items(), len(after)) == (True, len(before) + 1)

    for reference in references[1:]:
        arrived(reference)
    assert reported("r00", "r99") == {"r00": ["transaction t also in r99"], "r99": ["transaction t also in r00"]}
