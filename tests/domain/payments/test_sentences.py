"""Sentences: each code has its own, with what was expected and found."""

import pytest

from domain.payments.sentences import sentence, shown_transaction
from models.payments import DiscrepancyCode


@pytest.mark.parametrize("code", list(DiscrepancyCode))
def test_every_code_has_a_sentence_of_its_own(code: DiscrepancyCode) -> None:
    text = sentence(code, "THIS", "THAT")

    assert text.endswith(" Expected: THIS. Found: THAT.")
    assert [each for each in DiscrepancyCode if sentence(each, "THIS", "THAT") == text] == [code]


def test_code_may_be_plain_text() -> None:
    assert sentence("AMOUNT_MISMATCH", "21.00 ILS", "25.00 ILS") == (
        "The amount of the payment differs from the amount that the provider states. "
        "Expected: 21.00 ILS. Found: 25.00 ILS."
    )


TRANSACTION_ID = "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"


@pytest.mark.parametrize(
    ("code", "transaction_id", "shown"),
    [
        ("FIELD_WITHOUT_PAYMENT", TRANSACTION_ID, TRANSACTION_ID),
        ("FIELD_WITHOUT_PAYMENT", TRANSACTION_ID.upper(), TRANSACTION_ID.upper()),
        ("FIELD_WITHOUT_PAYMENT", "Dana Levi, 054-1234567", None),
        ("FIELD_WITHOUT_PAYMENT", f"{TRANSACTION_ID} Dana", None),
        ("FIELD_WITHOUT_PAYMENT", "039337423", None),
        ("FIELD_WITHOUT_PAYMENT", None, None),
        ("AMOUNT_MISMATCH", "tx 7", "tx 7"),
        ("AMOUNT_MISMATCH", "x" * 10_000_000, "x" * 100),
        ("MISSING_IN_ARCHIVE", None, None),
    ],
)
def test_only_transaction_ids_are_shown_of_payment_fields(
    code: str, transaction_id: str | None, shown: str | None
) -> None:
    assert shown_transaction(code, transaction_id) == shown
