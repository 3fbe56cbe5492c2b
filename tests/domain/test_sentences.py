"""Sentences: each code has one, and it tells what was expected and what was found."""

import pytest

from domain.sentences import sentence
from models.discrepancy import DiscrepancyCode


@pytest.mark.parametrize("code", list(DiscrepancyCode))
def test_every_code_has_a_sentence_of_its_own(code: DiscrepancyCode) -> None:
    told = sentence(code, "THIS", "THAT")

    assert told.endswith(" Expected: THIS. Found: THAT.")
    assert [each for each in DiscrepancyCode if sentence(each, "THIS", "THAT") == told] == [code]


def test_code_may_come_from_the_database() -> None:
    assert sentence("AMOUNT_MISMATCH", "21.00 ILS", "25.00 ILS") == (
        "The amount of the payment is not the one that the provider states. Expected: 21.00 ILS. Found: 25.00 ILS."
    )
