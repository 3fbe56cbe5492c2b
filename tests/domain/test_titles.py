"""Titles name person, form, chosen values and payment; they are short and of one line, whatever a payload has."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.words.languages import texts
from domain.archive.rows import Rows
from domain.titles import title_of, title_text
from domain.words.wording import Language
from models.archive.archive import FormFieldRow, SignatureRow
from models.archive.session import LabelRow, SessionRow
from models.payments import PaymentRow
from models.templates import Names, TemplateWords
from models.titles import TitleView

NAMES = Names(en="Loan agreement", he="הסכם הלוואה")
CHOSEN = TemplateWords(title=["person", "template", "label:BRANCH", "field:KIND", "payment"])
ROWS: Rows = {
    SessionRow: [{"recipient_name": None}, {"recipient_name": " Noa\n Levi "}],
    SignatureRow: [{"signer_name": "somebody else"}],
    LabelRow: [{"key": "BRANCH", "value": ""}, {"key": "BRANCH", "value": "Haifa"}],
    FormFieldRow: [{"id": "KIND", "value": True}],
    PaymentRow: [{"standing": "charged", "amount_minor": 6_000_000, "currency": "ILS"}],
}

PAID: Rows = {PaymentRow: ROWS[PaymentRow]}
OF_A_SIGNER: Rows = {SignatureRow: ROWS[SignatureRow]}


def text(rows: Rows | None, words: TemplateWords, language: Language = "en", names: Names = NAMES) -> str:
    title = title_of("T", rows, words, 48213)
    shown = Names() if rows is PAID else names
    return title_text(TitleView(**title.model_dump(), template=shown), language, texts(language))


def payment(standing: str, amount_minor: int | None = None, currency: str | None = "ILS") -> dict[str, Any]:
    return {"standing": standing, "amount_minor": amount_minor, "currency": currency}


@pytest.mark.parametrize(
    ("rows", "words", "language", "title"),
    [
        (ROWS, TemplateWords(), "en", "Noa Levi · Loan agreement · ₪60,000 charged"),
        (ROWS, CHOSEN, "en", "Noa Levi · Loan agreement · Haifa · true · ₪60,000 charged"),
        (ROWS, CHOSEN, "he", "Noa Levi · הסכם הלוואה · Haifa · true · ₪60,000 חויב"),
        (ROWS, TemplateWords(title=["payment"]), "en", "₪60,000 charged"),
        (PAID, TemplateWords(), "en", "Process 48213 · ₪60,000 charged"),
        (PAID, TemplateWords(), "he", "תהליך 48213 · ₪60,000 חויב"),
        (ROWS, TemplateWords(title=[]), "en", ""),
        (OF_A_SIGNER, TemplateWords(title=["person"]), "en", "somebody else"),
        (None, CHOSEN, "en", "Loan agreement"),
        ({}, CHOSEN, "en", "Loan agreement"),
    ],
)
def test_title_has_what_people_chose(rows: Rows | None, words: TemplateWords, language: Language, title: str) -> None:
    assert text(rows, words, language) == title


@pytest.mark.parametrize(
    ("payments", "words"),
    [
        ([payment("verified", 100), payment("failed", 900), payment("charged", 5)], "₪0.05 charged"),
        ([payment("charged", 5), payment("charged", 700), payment("charged")], "₪7 charged"),
        ([payment("charged", 123_456, "JPY")], "123456 JPY charged"),
        ([payment("charged", 500, None)], "500 (smallest unit, currency unknown) charged"),
        ([payment("verified", 0)], "verified"),
        ([payment("unknown", None, None)], "unknown"),
        ([], ""),
    ],
)
def test_title_names_the_largest_payment_whose_standing_says_most(payments: list[Any], words: str) -> None:
    assert text({PaymentRow: payments}, TemplateWords(title=["payment"])) == words


@given(st.text())
def test_part_of_a_title_is_one_line_of_80_characters(value: str) -> None:
    rows: Rows = {SessionRow: [{"recipient_name": value * 1000}]}
    title = text(rows, TemplateWords(title=["person"]))
    assert len(title) <= 80
    assert title.splitlines() in ([], [title])
