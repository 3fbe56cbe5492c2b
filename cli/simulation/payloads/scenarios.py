"""The twenty scenarios, in the order of sending: each makes the body of a request, and the expectation of its outcome.

Good, faulty and refused archives are mixed, so that a small demonstration shows each kind. Expectations are written by
hand here and never computed from the body.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import cycle, islice
from random import Random

from cli.simulation.payloads import documents, forms
from cli.simulation.payloads.documents import Document
from cli.simulation.payloads.processes import Case, Json, attach, field, pay, process, uuid4_text

Values = dict[str, str | int | tuple[str, ...] | None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of an archive. What `errordesc` says is not expected.

    `status` is the answer: `"0"`, or `"-1"` for a refused body; or the reason why no answer could be read. `state` is
    None when the API does not know the archive, or was not asked. Codes stand once each, in alphabetical order, and
    standings in the order of the payload: all attempts at a transaction are one payment.
    """

    status: str
    errordesc: str = ""
    state: str | None = None
    files: int = 0
    warnings: tuple[str, ...] = ()
    discrepancies: tuple[str, ...] = ()
    standings: tuple[str, ...] = ()

    def comparable(self, *, waited: bool) -> Values:
        """Return the values that are compared. If not `waited`, only the answer can be compared."""
        values = asdict(self)
        del values["errordesc"]
        return values if waited else {"status": self.status}


@dataclass(frozen=True)
class SimulatedArchive:
    """A body to send. `scenario` is a stable short name (`lease-he`). Refused bodies have a `reference` too."""

    scenario: str
    reference: str
    body: bytes
    expectation: Outcome


Change = Callable[[Json, Case], None]
SCENARIOS: dict[str, Callable[[Case], tuple[bytes, Outcome]]] = {}
_REFUSED = Outcome("-1")


def simulated_archives(count: int, *, seed: int, now: datetime) -> Iterator[SimulatedArchive]:
    """Yield `count` archives, the scenarios in a fixed rotation: 20 archives have every scenario, and 4 are refused.

    The same `seed` and `now` give the same archives, whatever the count, except for their PDFs: each PDF has its own
    identifier and times, and the signing key is made once per process. `now` is written without its zone, as Cellosign
    writes times. Cannot be called inside a running event loop (see `signed_documents.signed_pdf`).
    """
    for number, (scenario, make) in enumerate(islice(cycle(SCENARIOS.items()), count)):
        case = _case(seed, number, now)
        body, expectation = make(case)
        yield SimulatedArchive(scenario, case.reference, body, expectation)


def _case(seed: int, number: int, now: datetime) -> Case:
    """Return the case of one archive. Its randomness depends only on seed and number, so references never collide."""
    rng = Random(f"cellar simulate {seed} {number}")  # noqa: S311 - must be repeatable, protects nothing
    return Case(
        reference=uuid4_text(rng),
        transaction_id=uuid4_text(rng),
        process_number=Random(f"cellar simulate {seed}").randrange(10**8) + number,  # noqa: S311
        now=now.replace(tzinfo=None),
        rng=rng,
        run=str(seed),
    )


def _ascii(archive: Json) -> bytes:
    return json.dumps(archive).encode()


def _utf8(archive: Json) -> bytes:
    return json.dumps(archive, ensure_ascii=False).encode()


def _escaped(archive: Json) -> bytes:
    return _utf8(archive).replace(b"/", rb"\/")


def _cut_off(archive: Json) -> bytes:
    body = _utf8(archive)
    return body[: len(body) * 2 // 3]


def _scenario(
    form: forms.Form,
    expected: Outcome,
    *,
    amount: str = "0.00",
    signers: int = 1,
    write: Callable[[Json], bytes] = _ascii,
) -> Callable[[Change], None]:
    """Register a scenario: a flawless archive of `form`, which the decorated function changes as its docstring says."""

    def add(change: Change) -> None:
        def make(case: Case) -> tuple[bytes, Outcome]:
            archive = process(case, form, signers, amount=amount)
            change(archive, case)
            return write(archive), expected

        SCENARIOS[change.__name__.removeprefix("_").replace("_", "-")] = make

    return add


def _completed(files: int = 1, *standings: str, warnings: str = "", discrepancies: str = "") -> Outcome:
    warned, contradicted = (tuple(sorted(each.split())) for each in (warnings, discrepancies))
    return Outcome("0", "", "completed", files, warned, contradicted, standings)


@_scenario(forms.LEASE_HE, _completed(3, "verified"), amount="5,400.00", write=_utf8)
def _lease_he(archive: Json, case: Case) -> None:
    """A Hebrew lease, with Hebrew file names in plain UTF-8 and a card that is only verified."""
    attach(archive, "ID_CARD", documents.jpeg_scan(case.rng, "צילום תעודת זהות.jpg"))
    attach(archive, "PAYSLIP", documents.plain_text("תלוש שכר – ספטמבר.txt", ["תלוש שכר", "ברוטו: 14,200 ₪"]))
    pay(archive, case, "verify_credit_card", 540_000)


@_scenario(forms.LEASE_EN, _completed(2, "held"), amount="1,850.00")
def _lease_en(archive: Json, case: Case) -> None:
    """An English lease with a deposit that is held. The attachment's content is a data URI."""
    picture = documents.png_photo(case.rng, "front door.png", width=160, height=120)
    attach(archive, "PICTURE", picture, documents.data_uri)
    pay(archive, case, "hold", 185_000, currency="EUR")


@_scenario(forms.PARKING_PERMIT_HE, _completed(1, "charged", discrepancies="AMOUNT_MISMATCH"), write=_utf8)
def _charge_amount_mismatch(archive: Json, case: Case) -> None:
    """The provider charged 50 agorot less than the form says."""
    pay(archive, case, "charge", 12_500, provider_total=12_450)


@_scenario(forms.LOAN_HE, _completed(2), amount="60,000.00", signers=2, write=_utf8)
def _loan(archive: Json, case: Case) -> None:
    """A workflow of two sessions: the borrower signs, then the guarantor. No payment."""
    guarantee = documents.pdf("Guarantee", [["The guarantor answers for the whole of the loan."]])
    attach(archive, "GUARANTEE", Document("ערבות.pdf", "application/pdf", guarantee))


@_scenario(forms.DONATION, _REFUSED, write=_cut_off)
def _truncated(archive: Json, case: Case) -> None:
    """The body ends in the middle of the signed document."""


@_scenario(forms.ACCOUNT_OPENING, _completed(6), signers=3)
def _account_opening(archive: Json, case: Case) -> None:
    """Three sessions, five attachments of different types with line-wrapped base64, and unknown elements."""
    salary, rent = ("2026-09-01", 'Salary, "September"', 14_200), ("2026-09-03", "שכר דירה", -5_400)
    statement = documents.csv_table("statement.csv", [("date", "text", "amount"), salary, rent])
    read_me = documents.plain_text("read me.txt", ["As agreed."])
    uploads = [
        documents.png_photo(case.rng, "selfie.png", width=320, height=240),
        documents.jpeg_scan(case.rng, "passport.jpg"),
        statement,
        documents.zip_folder("last three months.zip", [statement, read_me]),
        documents.word_document("employer's letter.docx", ["To whom it may concern,", "she works here."]),
    ]
    for number, document in enumerate(uploads, start=1):
        attach(archive, f"UPLOAD_{number}", document, documents.line_wrapped)
    archive["workspace"] = {"id": uuid4_text(case.rng), "plan": None}
    archive["sessions"][0]["channel"] = "whatsapp"


@_scenario(forms.DONATION, _completed(2, "charged"), amount="180.00", write=_escaped)
def _donation(archive: Json, case: Case) -> None:
    r"""A charge in dollars. Every `/` of the body is written `\/`, as some JSON writers do."""
    attach(archive, "DEDICATION", documents.word_document("dedication.docx", ["In memory of <Grandma> & Grandpa"]))
    pay(archive, case, "charge", 18_000, currency="USD")


@_scenario(forms.DONATION, _completed(discrepancies="FIELD_WITHOUT_PAYMENT"), amount="72.00")
def _field_without_payment(archive: Json, case: Case) -> None:
    """The form's payment element points to a transaction that is not in the archive."""


@_scenario(forms.PARKING_PERMIT_HE, _completed(2, "charged"))
def _parking_permit(archive: Json, case: Case) -> None:
    """A charge that fails, then succeeds: two attempts of one transaction. The attachment's base64 is url-safe."""
    licence = documents.jpeg_scan(case.rng, "רישיון רכב.jpg")
    attach(archive, "CAR_LICENCE", licence, documents.url_safe_unpadded)
    pay(archive, case, "charge", 12_500, succeeds=False)
    pay(archive, case, "charge", 12_500)


@_scenario(forms.LEASE_EN, _REFUSED, amount="700.00")
def _content_not_base64(archive: Json, case: Case) -> None:
    """The content of an attachment is plain text instead of base64."""
    text = "The keys are with the neighbours, 2nd floor (door #4)!"
    attach(archive, "NOTE", documents.plain_text("note.txt", [text]), lambda _: text)


@_scenario(forms.ACCOUNT_OPENING, _completed(warnings="INTEGRATION_FAILED OTP_NOT_SENT"))
def _integration_failed(archive: Json, case: Case) -> None:
    """The customer's own system was down, and so was the sender of one-time passwords."""
    archive["sessions"][0]["integrations"][1] |= {"status": "error", "error": "HTTP 503 from crm.example.com"}
    archive["sessions"][0]["recipient"]["otp_destination"]["status"] = "failed"


@_scenario(forms.LEASE_HE, _completed(2, "failed"), amount="4,100.00")
def _large_attachment(archive: Json, case: Case) -> None:
    """A picture of about 4 MB, and a card that the card company refuses."""
    attach(archive, "FLOOR_PLAN", documents.png_photo(case.rng, "תכנית דירה.png", width=1360, height=1400))
    pay(archive, case, "verify_credit_card", 410_000, succeeds=False)


@_scenario(forms.LOAN_HE, _completed(warnings="TEXT_REPLACED"), amount="8,000.00")
def _emoji_cut_in_two(archive: Json, case: Case) -> None:
    """A text that ends in half an emoji, as a form in JavaScript can cut it, and a text with a NUL."""
    field(archive, "REMARKS")["value"] = "תודה רבה לכולם! \ud83d"
    field(archive, "BORROWER_PHONE")["value"] = "+12025550100\0"


_STRAY = _completed(1, "charged", "charged", discrepancies="PAYMENT_WITHOUT_FIELD UNKNOWN_SESSION")


@_scenario(forms.LEASE_EN, _STRAY, amount="900.00", write=_utf8)
def _stray_payments(archive: Json, case: Case) -> None:
    """Two payments: the session of the first is not in the archive; no element of the form points to the second."""
    pay(archive, case, "charge", 90_000, session_id="nowhere000")
    pay(archive, case, "charge", 4_500, transaction_id=uuid4_text(case.rng))


@_scenario(forms.DONATION, _REFUSED)
def _event_type_wrong(archive: Json, case: Case) -> None:
    """An event that expects an answer while the form is open, which cellar cannot give."""
    archive["event"]["type"] = "WHEF_FORM_FIELD_CHANGED"


@_scenario(forms.ACCOUNT_OPENING, _completed(3, warnings="ATTACHMENT_EMPTY"))
def _attachment_empty(archive: Json, case: Case) -> None:
    """An empty file beside a good file."""
    attach(archive, "UPLOAD_1", Document("passport.jpg", "image/jpeg", b""))
    attach(archive, "UPLOAD_2", documents.jpeg_scan(case.rng, "passport (2).jpg"))


_INCONSISTENT = _completed(warnings="SESSION_NOT_SUBMITTED SESSION_REFERENCE_MISMATCH SIGNER_UNKNOWN")


@_scenario(forms.LOAN_HE, _INCONSISTENT, amount="25,000.00", signers=2, write=_utf8)
def _session_unsubmitted(archive: Json, case: Case) -> None:
    """The second session was never submitted and is of another process; a person who was not invited has signed."""
    archive["sessions"][1] |= {"reference": uuid4_text(case.rng), "submitted_at": None}
    archive["signatures"][1]["signed_by"] = {"id": "77", "name": "לא ידוע"}


@_scenario(forms.DONATION, _completed(1, "charged", discrepancies="UNIT_MISMATCH"), amount="360.00")
def _charge_unit_mismatch(archive: Json, case: Case) -> None:
    """The amount is in dollars, the provider's total in cents."""
    pay(archive, case, "charge", 360, currency="USD", provider_total=36_000)


@_scenario(forms.ACCOUNT_OPENING, _REFUSED)
def _sessions_missing(archive: Json, case: Case) -> None:
    """The archive has no sessions."""
    del archive["sessions"]


@_scenario(
    forms.LEASE_HE,
    _completed(1, "verified", warnings="TIMESTAMP_UNREADABLE WRONG_TYPE"),
    amount="6,200.00",
    write=_utf8,
)
def _odd_values(archive: Json, case: Case) -> None:
    """A time that cannot be read, and text in place of numbers."""
    archive["sessions"][0] |= {"created_at": "31/02/2026 25:61", "process_number": "one hundred"}
    field(archive, "PETS")["page"] = "cover"
    pay(archive, case, "verify_credit_card", 620_000)
