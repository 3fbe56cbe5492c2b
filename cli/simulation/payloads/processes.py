"""Makes a process as Cellosign archives it: its sessions, signatures, form, payments and signed document.

A payment is Cellosign's record around a result of the provider (Credit Guard MPI, now Hyp).
"""

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal
from uuid import UUID

from cli.simulation.payloads import documents
from cli.simulation.payloads.documents import Document, standard
from cli.simulation.payloads.forms import Form, Person, filled, people


def uuid4_text(rng: Random) -> str:
    return str(UUID(bytes=rng.randbytes(16), version=4))


def session_token(rng: Random) -> str:
    """Return ten letters and digits, like `wSYqmI4xsE`."""
    return "".join(rng.choices(string.ascii_letters + string.digits, k=10))


PaymentType = Literal["charge", "verify_credit_card", "hold"]

# brand, credit company, first digits
_CARDS = (
    ("Visa", "Visa", "458045"),
    ("Mastercard", "Isracard", "532610"),
    ("Diners", "Diners", "36453"),
    ("Isracard", "Isracard", "458000"),
)


def payment(  # noqa: PLR0913 - all are named, and scenarios vary each of them
    rng: Random,
    *,
    transaction_id: str,
    session_id: str,
    kind: PaymentType,
    amount: int,
    currency: str = "ILS",
    provider_total: int | None = None,
    succeeds: bool = True,
) -> dict[str, Any]:
    """Return an element of an archive's `payments`.

    `amount` and `provider_total` are minor units of `currency`; without `provider_total` the provider's total is the
    amount, as it should be.
    """
    result = _provider_result(rng, currency, amount if provider_total is None else provider_total)
    if not succeeds:
        result |= {"result_code": "004", "result_text": "Refused by the card company", "auth_number": ""}
    return {
        "status": "success" if succeeds else "failure",
        "type": kind,
        "transaction_id": transaction_id,
        "session_id": session_id,
        "provider_transaction_reference": uuid4_text(rng),
        "provider_transaction_result": result,
        "amount": amount,
    }


def _provider_result(rng: Random, currency: str, total: int) -> dict[str, str]:
    brand, company, prefix = rng.choice(_CARDS)
    last_four = f"{rng.randrange(10_000):04}"
    return {
        "currency": currency,
        "card_mask": f"{prefix:*<12}{last_four}",
        "internal_transaction_id": str(rng.randrange(10_000_000, 99_999_999)),
        "club_code": "",
        "credit_company": company,
        "club_id": "",
        "card_id": _card_token(rng, last_four),
        "session_cd": rng.randbytes(32).hex(),
        "card_expiration": f"{rng.randrange(1, 13):02}{rng.randrange(27, 33)}",
        "card_brand": brand,
        "card_aquirer": "Alphacard",  # spelt like this by the provider
        "total": str(total),
        "card_no": f"{'x' * 12}{last_four}",
        "life_style": "1",
        "cguid": str(rng.randrange(10_000_000, 99_999_999)),
        "auth_number": f"{rng.randrange(10_000_000):07}",
    }


def _card_token(rng: Random, last_four: str) -> str:
    """Return 16 digits that pass the Luhn check and end in the card's last four, like the provider's token.

    They begin with 1080, which no card company issues.
    """
    head = f"1080{rng.randrange(10_000_000):07}"
    return next(token for digit in "0123456789" if _passes_luhn(token := f"{head}{digit}{last_four}"))


def _passes_luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


Json = dict[str, Any]

_TYPICAL_REMARKS = ("-", "Please call before noon", "כניסה מהחצר, קומה 3", "נא לשלוח העתק במייל")


@dataclass(frozen=True)
class Case:
    """The values that make an archive unique. `now` is the time of archiving; the process began hours to days before.
    `run` is a label of its sessions, by which people find what was simulated.

    `transaction_id` is the value of the form's payment element, if the form has such an element.
    """

    reference: str
    transaction_id: str
    process_number: int
    now: datetime
    rng: Random
    run: str


def process(case: Case, form: Form, signer_count: int, *, amount: str) -> Json:
    """Return a flawless archive of a form that people signed one after another, without attachments and payments.

    `amount` is the text of the form's amount.
    """
    signers = people(case.rng, form.language, signer_count)
    sessions = [_session(case, form, signer, number) for number, signer in enumerate(signers, start=1)]
    answers = _answers(case, signers[0], amount)
    return {
        "event": {"type": "WHP_ARCHIVE", "timestamp": case.now.isoformat(timespec="microseconds")},
        "reference": case.reference,
        "sessions": sessions,
        "signatures": [signature for session in sessions for signature in _signatures(form, session)],
        "data": filled(form, answers, case.rng),
        "attachments": [],
        "payments": [],
        "signed_document": _file(_signed_document(form, signers, answers)),
    }


def attach(archive: Json, element_id: str, document: Document, spell: Callable[[Document], str] = standard) -> None:
    archive["attachments"].append({"id": element_id, **_file(document, spell)})


def pay(archive: Json, case: Case, kind: PaymentType, amount: int, **details: Any) -> None:
    """Add a payment of the first session, to which the form's payment element points. `details`: see `payment`."""
    told = {"transaction_id": case.transaction_id, "session_id": archive["sessions"][0]["id"], **details}
    archive["payments"].append(payment(case.rng, kind=kind, amount=amount, **told))


def _file(document: Document, spell: Callable[[Document], str] = standard) -> Json:
    return {"filename": document.filename, "mimetype": document.media_type, "content": spell(document)}


def _answers(case: Case, signer: Person, amount: str) -> dict[str, str]:
    return {
        "name": signer.name,
        "mail": signer.mail,
        "phone": signer.phone,
        "address": signer.place.address,
        "hebrew_address": signer.place.hebrew_address,
        "location": f"{signer.place.latitude},{signer.place.longitude}",
        "amount": amount,
        "today": f"{case.now:%d/%m/%Y}",
        "ticked": "true",
        "unticked": "false",
        "remark": case.rng.choice(_TYPICAL_REMARKS),
        "plate": f"{case.rng.randrange(100, 1000)}-{case.rng.randrange(100):02}-{case.rng.randrange(100, 1000)}",
        "transaction_id": case.transaction_id,
    }


def _session(case: Case, form: Form, signer: Person, number: int) -> Json:
    """Return a session of a workflow. Sessions follow each other: a higher number is submitted later."""
    created_at = case.now - timedelta(hours=30 - 8 * number, seconds=case.rng.uniform(0, 3600))
    logged_in_at = created_at + timedelta(minutes=case.rng.uniform(2, 240))
    submitted_at = logged_in_at + timedelta(minutes=case.rng.uniform(3, 40))
    return {
        "id": session_token(case.rng),
        "author": case.rng.choice(("branch12@example.com", "office@example.com", "api@example.org")),
        "reference": case.reference,
        "process_id": case.reference,
        "process_number": case.process_number,
        "transaction_number": 10 * case.process_number + number,
        "recipient": _recipient(signer, number),
        "submission_details": _submission_details(signer),
        "labels": _labels(case, form),
        "created_at": _text(created_at),
        "submitted_at": _text(submitted_at),
        "template": {"id": form.template_id},
        "integrations": [
            _integration(case.rng, "EF_CLIENT_LOGGED_IN", logged_in_at),
            _integration(case.rng, "EF_CLIENT_FORM_SUBMITTED", submitted_at),
        ],
    }


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _recipient(signer: Person, number: int) -> Json:
    by_mail: Json = {"address": signer.mail, "type": "email", "provider": None, "status": "sent"}
    by_sms: Json = {"address": signer.phone, "type": "sms", "provider": "inforu", "status": "sent"}
    return {"id": number, "name": signer.name, "otp_destination": dict(by_sms), "invitations": [by_mail, by_sms]}


def _submission_details(signer: Person) -> Json:
    return {
        "ip": signer.ip,
        "user_agent": signer.device.user_agent,
        "device": signer.device.kind,
        "latitude": signer.place.latitude,
        "longitude": signer.place.longitude,
        "accuracy": signer.device.accuracy_m,
    }


def _labels(case: Case, form: Form) -> dict[str, str]:
    its = {"CUSTOMER_ID": f"{case.rng.randrange(1_000_000):06}", "SIMULATION": case.run}
    if form.language == "he":
        return {**its, "סניף": case.rng.choice(("תל אביב", "חיפה", "ירושלים")), "מסמך": form.title}
    return {**its, "BRANCH": case.rng.choice(("north", "centre", "south")), "DOCUMENT": form.title}


def _integration(rng: Random, kind: str, executed_at: datetime) -> Json:
    return {
        "id": uuid4_text(rng),
        "type": kind,
        "status": "success",
        "executed_at": _text(executed_at),
        "payload": None,
        "error": None,
    }


def _signatures(form: Form, session: Json) -> list[Json]:
    signed_by = {"id": str(session["recipient"]["id"]), "name": session["recipient"]["name"]}
    return [
        {
            "id": pad if session["recipient"]["id"] == 1 else f"{pad}_{session['recipient']['id']}",
            "signed_at": session["submitted_at"],
            "signed_by": signed_by,
            "labels": {"PAD": pad},
        }
        for pad in form.signature_ids
    ]


def _signed_document(form: Form, signers: Sequence[Person], answers: dict[str, str]) -> Document:
    printed = answers | {"name": signers[0].latin_name, "hebrew_address": answers["address"], "remark": "none"}
    pages = [_page_lines(form, page, printed) for page in range(1, form.page_count + 1)]
    pages[-1] += ["", *(f"Signed by {signer.latin_name} <{signer.mail}>, {answers['today']}" for signer in signers)]
    content = documents.signed_pdf(form.english_title, pages)
    return Document(f"{form.title}.pdf", "application/pdf", content)


def _page_lines(form: Form, page: int, answers: dict[str, str]) -> list[str]:
    shown = [one for one in form.fields if one.page == page and one.visible]
    return [f"{one.id.replace('_', ' ').capitalize()}: {answers.get(one.answer, 'as chosen')}" for one in shown]
