"""Sentences: each code has one, and it tells what was expected and what was found."""

import pytest

from domain.payments.sentences import sentence, shown_transaction
from models.payments.discrepancy import DiscrepancyCode


@pytest.mark.parametrize("code", list(DiscrepancyCode))
def test_every_code_has_a_sentence_of_its_own(code: DiscrepancyCode) -> None:
    told = sentence(code, "THIS", "THAT")

    assert told.endswith(" Expected: THIS. Found: THAT.")
    assert [each for each in DiscrepancyCode if sentence(each, "THIS", "THAT") == told] == [code]


def test_code_may_come_from_the_database() -> None:
    assert sentence("AMOUNT_MISMATCH", "21.00 ILS", "25.00 ILS") == (
        "The amount of the payment differs from the amount that the provider states. "
        "Expected: 21.00 ILS. Found: 25.00 ILS."
    )


ITS_ID = "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"


@pytest.mark.parametrize(
    ("code", "transaction_id", "told"),
    [
        ("FIELD_WITHOUT_PAYMENT", ITS_ID, ITS_ID),
        ("FIELD_WITHOUT_PAYMENT", ITS_ID.upper(), ITS_ID.upper()),
        ("FIELD_WITHOUT_PAYMENT", "Dana Levi, 054-1234567", None),
        ("FIELD_WITHOUT_PAYMENT", f"{ITS_ID} Dana", None),
        ("FIELD_WITHOUT_PAYMENT", "039337423", None),
        ("FIELD_WITHOUT_PAYMENT", None, None),
        ("AMOUNT_MISMATCH", "tx 7", "tx 7"),
        ("AMOUNT_MISMATCH", "x" * 10_000_000, "x" * 100),
        ("MISSING_IN_ARCHIVE", None, None),
    ],
)
def test_what_a_client_typed_in_place_of_a_transaction_is_told_nowhere(
    code: str, transaction_id: str | None, told: str | None
) -> None:
    assert shown_transaction(code, transaction_id) == told
