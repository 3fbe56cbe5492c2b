"""The form templates of the simulation, filled forms as they appear in an archive's `data`, and who fills them.

The people have invented names, mails of the example domains and fictional telephone numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

Language = Literal["he", "en"]

# name as the person writes it, the same in Latin letters (for PDF text in Helvetica), local part of the mail
_NAMES: dict[Language, tuple[tuple[str, str, str], ...]] = {
    "he": (
        ("נועה לוי", "Noa Levi", "noa.levi"),
        ("יוסי כהן", "Yossi Cohen", "yossi.cohen"),
        ("מיכל אברהמי", "Michal Avrahami", "michal.avrahami"),
        ("איתי בן־דוד", "Itai Ben-David", "itai.bendavid"),
        ("תמר פרידמן", "Tamar Friedman", "tamar.friedman"),
        ("אורי מזרחי", "Uri Mizrahi", "uri.mizrahi"),
        ("שירה גולן", "Shira Golan", "shira.golan"),
        ('ד"ר דניאל צ׳רניחובסקי', "Dr. Daniel Tchernichovsky", "daniel.t"),
    ),
    "en": (
        ("Sarah O'Connor", "Sarah O'Connor", "sarah.oconnor"),
        ("David Miller", "David Miller", "david.miller"),
        ("Priya Raman", "Priya Raman", "priya.raman"),
        ("José Álvarez", "José Álvarez", "jose.alvarez"),
        ("Anna-Lena Weiß", "Anna-Lena Weiß", "anna.weiss"),
        ("Tom Baker", "Tom Baker", "tom.baker"),
        ("Grace Kim", "Grace Kim", "grace.kim"),
        ("Samuel Adeyemi", "Samuel Adeyemi", "samuel.adeyemi"),
    ),
}


@dataclass(frozen=True)
class Place:
    address: str
    hebrew_address: str
    latitude: float
    longitude: float


_PLACES = (
    Place("Arlozorov St 160, Tel Aviv-Yafo", "ארלוזורוב 160, תל אביב-יפו, ישראל", 32.0823, 34.7952),
    Place("Jaffa St 97, Jerusalem", "יפו 97, ירושלים, ישראל", 31.7866, 35.2121),
    Place("HaNassi Blvd 120, Haifa", "שדרות הנשיא 120, חיפה, ישראל", 32.8068, 34.9863),
    Place("Rager Blvd 22, Be'er Sheva", "שדרות רגר 22, באר שבע, ישראל", 31.2518, 34.7913),
    Place("Tel Hai St 8, Kiryat Shmona", "תל חי 8, קריית שמונה, ישראל", 33.2073, 35.5721),
)


@dataclass(frozen=True)
class Device:
    kind: Literal["mobile", "tablet", "desktop"]
    user_agent: str
    accuracy_m: int


_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
_DEVICES = (
    Device("mobile", f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {_SAFARI}", 12),
    Device("mobile", f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_CHROME} Mobile Safari/537.36", 25),
    Device("tablet", f"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) {_SAFARI}", 65),
    Device("desktop", f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", 1000),
)


@dataclass(frozen=True)
class Person:
    """`latin_name` is the name in letters of ISO 8859-1. `ip` is of a range kept for documentation (RFC 5737)."""

    name: str
    latin_name: str
    mail: str
    phone: str
    place: Place
    device: Device
    ip: str


def people(rng: Random, language: Language, count: int) -> list[Person]:
    """Return `count` people with different names (there are eight in each language)."""
    return [_person(rng, name) for name in rng.sample(_NAMES[language], count)]


def _person(rng: Random, name: tuple[str, str, str]) -> Person:
    written, latin, local_part = name
    return Person(
        name=written,
        latin_name=latin,
        mail=f"{local_part}@{rng.choice(('example.com', 'example.org'))}",
        phone=f"+1202555{rng.randrange(100, 200):04}",  # 555-0100 to 555-0199 are kept for fiction
        place=rng.choice(_PLACES),
        device=rng.choice(_DEVICES),
        ip=f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(1, 255)}",
    )


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

FORMS = (LEASE_HE, LEASE_EN, LOAN_HE, PARKING_PERMIT_HE)

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
