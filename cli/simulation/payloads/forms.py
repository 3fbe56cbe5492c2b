"""The form templates of the simulation, and filled forms as they appear in an archive's `data`."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from cli.simulation.payloads.people import Language

FieldType = Literal["text", "select", "payment", "location", "checkbox", "date"]


@dataclass(frozen=True)
class Field:
    """An element of a form. `answer` names the answer that fills it; a `select` is filled with one of its `choices`.

    `page` counts from 1; 0 is an element on no page, which Cellosign also sends. `row` counts from the top.
    """

    id: str
    type: FieldType
    answer: str = ""
    page: int = 1
    row: int = 0
    choices: tuple[str, ...] = ()
    visible: bool = True


@dataclass(frozen=True)
class Form:
    """A template. `signature_ids` are the pads that each signer signs. `english_title` is the heading of the PDF."""

    template_id: str
    title: str
    english_title: str
    language: Language
    page_count: int
    fields: tuple[Field, ...]
    signature_ids: tuple[str, ...]


LEASE_HE = Form(
    template_id="5b7c1f0e9d2a4c3b8e6f7a1029384756",
    title="חוזה שכירות",
    english_title="Residential lease (Hebrew template)",
    language="he",
    page_count=3,
    fields=(
        Field("TENANT_NAME", "text", "name", row=1),
        Field("TENANT_ADDRESS", "text", "hebrew_address", row=2),
        Field("TENANT_MAIL", "text", "mail", row=3),
        Field("RENT_MONTHLY", "text", "amount", page=2, row=1),
        Field("START_DATE", "date", "today", page=2, row=2),
        Field("PAYMENT_DAY", "select", page=2, row=3, choices=("1 בחודש", "10 בחודש", "15 בחודש")),
        Field("PETS", "checkbox", "unticked", page=2, row=4),
        Field("CARD_CHECK", "payment", "transaction_id", page=0, visible=False),
        Field("SIGNED_WHERE", "location", "location", page=3, row=8),
    ),
    signature_ids=("SIGNATURE_TENANT",),
)

LEASE_EN = Form(
    template_id="0d9f3c5a7b1e4826a5c4d3e2f1a0b9c8",
    title="Lease agreement",
    english_title="Residential lease",
    language="en",
    page_count=2,
    fields=(
        Field("TENANT_NAME", "text", "name", row=1),
        Field("TENANT_ADDRESS", "text", "address", row=2),
        Field("DEPOSIT", "text", "amount", row=3),
        Field("MOVE_IN", "date", "today", row=4),
        Field("TERM", "select", row=5, choices=("12 months", "24 months", "36 months")),
        Field("DEPOSIT_CARD", "payment", "transaction_id", page=2, row=4),
        Field("SIGNED_WHERE", "location", "location", page=2, row=8),
        Field("TERMS_READ", "checkbox", "ticked", page=2, row=9),
    ),
    signature_ids=("SIGNATURE_TENANT", "INITIALS_PAGE_1"),
)

LOAN_HE = Form(
    template_id="c2a1b0d9e8f74635a2b1c0d9e8f7a6b5",
    title="הסכם הלוואה",
    english_title="Loan agreement",
    language="he",
    page_count=3,
    fields=(
        Field("BORROWER_NAME", "text", "name", row=1),
        Field("BORROWER_PHONE", "text", "phone", row=2),
        Field("LOAN_AMOUNT", "text", "amount", row=3),
        Field("LOAN_PURPOSE", "select", row=4, choices=("רכב", "דיור", "לימודים", "אחר")),
        Field("FIRST_REPAYMENT", "date", "today", page=2, row=1),
        Field("CREDIT_CONSENT", "checkbox", "ticked", page=2, row=2),
        Field("REMARKS", "text", "remark", page=2, row=3),
    ),
    signature_ids=("SIGNATURE_LOAN",),
)

ACCOUNT_OPENING = Form(
    template_id="7e6d5c4b3a291807f6e5d4c3b2a19080",
    title="Account opening",
    english_title="Opening of a current account",
    language="en",
    page_count=2,
    fields=(
        Field("HOLDER_NAME", "text", "name", row=1),
        Field("HOLDER_MAIL", "text", "mail", row=2),
        Field("HOLDER_PHONE", "text", "phone", row=3),
        Field("HOLDER_ADDRESS", "text", "address", row=4),
        Field("ACCOUNT_KIND", "select", row=5, choices=("Current", "Student", "Business")),
        Field("TAX_RESIDENT_ELSEWHERE", "checkbox", "unticked", row=6),
        Field("OPENED_ON", "date", "today", page=2, row=1),
        Field("REMARKS", "text", "remark", page=2, row=2),
        Field("IDENTIFIED_AT", "location", "location", page=0, visible=False),
    ),
    signature_ids=("SIGNATURE_HOLDER",),
)

PARKING_PERMIT_HE = Form(
    template_id="1f2e3d4c5b6a79880a1b2c3d4e5f6071",
    title="בקשה לתו חניה",
    english_title="Parking permit application",
    language="he",
    page_count=1,
    fields=(
        Field("RESIDENT_NAME", "text", "name", row=1),
        Field("RESIDENT_ADDRESS", "text", "hebrew_address", row=2),
        Field("PLATE", "text", "plate", row=3),
        Field("ZONE", "select", row=4, choices=("אזור 1", "אזור 7", "אזור 12")),
        Field("VALID_FROM", "date", "today", row=5),
        Field("FEE", "payment", "transaction_id", row=6),
        Field("SENT_FROM", "location", "location", row=7),
    ),
    signature_ids=("SIGNATURE_RESIDENT",),
)

DONATION = Form(
    template_id="93a4b5c6d7e8f9010213243546576879",
    title="Donation",
    english_title="Donation pledge",
    language="en",
    page_count=1,
    fields=(
        Field("DONOR_NAME", "text", "name", row=1),
        Field("DONOR_MAIL", "text", "mail", row=2),
        Field("AMOUNT", "text", "amount", row=3),
        Field("PURPOSE", "select", row=4, choices=("School", "Hospital", "Where it is needed")),
        Field("ANONYMOUS", "checkbox", "unticked", row=5),
        Field("DONATION", "payment", "transaction_id", row=6),
    ),
    signature_ids=("SIGNATURE_DONOR",),
)

FORMS = (LEASE_HE, LEASE_EN, LOAN_HE, ACCOUNT_OPENING, PARKING_PERMIT_HE, DONATION)

# Percent of the page, as in the vendor's sample.
_ROW_HEIGHT, _FIRST_ROW_TOP, _FIELD_HEIGHT, _FIELD_WIDTH = 6.302521, 11.134453, 2.048693586698337, 28.8781512605042
_FIELD_LEFT = {"he": 62.92710084, "en": 8.194774346793352}


def filled(form: Form, answers: Mapping[str, str], rng: Random) -> list[dict[str, Any]]:
    """Return the archive's `data` for a form filled with `answers` (see `Field.answer`), in the form's order."""
    return [
        {
            "id": field.id,
            "value": rng.choice(field.choices) if field.choices else answers[field.answer],
            "top": round(_FIRST_ROW_TOP + field.row * _ROW_HEIGHT, 6),
            "left": _FIELD_LEFT[form.language],
            "width": _FIELD_WIDTH,
            "height": _FIELD_HEIGHT,
            "page": field.page,
            "type": field.type,
            "visible": field.visible,
            "meta": {"geocoder": answers["hebrew_address"]} if field.type == "location" else {},
        }
        for field in form.fields
    ]


TEMPLATE_IDS = frozenset(form.template_id for form in FORMS)
"""An archive with one of these templates was made by a simulation."""
