"""Titles: made from the rows of an archive, and worded in a language when they are shown. Pure."""

from collections.abc import Iterable, Mapping
from gettext import NullTranslations
from itertools import chain
from typing import Any

from domain.archive.rows import Rows
from domain.payments.amounts import amount_text, exponent_of
from domain.search import rows_of, short
from domain.words.codes import WORDS
from domain.words.wording import ENGLISH, Language
from models.archive.archive import FormFieldRow, SignatureRow
from models.archive.session import LabelRow, SessionRow
from models.payments import PaymentRow, Standing
from models.templates import PAYMENT, PERSON, TEMPLATE, PartId, TemplateWords, name_in
from models.titles import Title, TitlePayment, TitleView

_BY_IMPORTANCE = [
    *(Standing.SETTLED, Standing.CHARGED, Standing.HELD),
    *(Standing.FAILED, Standing.UNKNOWN, Standing.VERIFIED),
]
_SIGNS = {"ILS": "₪", "USD": "$", "EUR": "€", "GBP": "£"}


def title_of(
    template_id: str | None, rows: Rows | None, words: TemplateWords, process_number: int | None = None
) -> Title:
    """Return the title of an archive. `rows` is None before the archive is loaded."""
    its, number = (template_id, process_number) if TEMPLATE in words.title else (None, None)
    if rows is None:
        return Title(template_id=its, process_number=number)
    people = (short(each["recipient_name"]) for each in rows_of(rows, SessionRow))
    signers = (short(each["signer_name"]) for each in rows_of(rows, SignatureRow))
    values = {each: _value(rows, each) for each in words.title if each not in (PERSON, TEMPLATE, PAYMENT)}
    shown = {part: value for part, value in values.items() if value}
    return Title(
        person=next(filter(None, chain(people, signers)), None) if PERSON in words.title else None,
        template_id=its,
        process_number=number,
        facets=tuple(shown.values()),
        parts=tuple(shown),
        payment=title_payment(rows.get(PaymentRow, ())) if PAYMENT in words.title else None,
    )


def masked_title(title: Title, words: TemplateWords) -> Title:
    """Return what viewers see of a title: no person, and of fields and labels those that people called public."""
    found = zip(title.parts, title.facets, strict=True)
    shown = {part: value for part, value in found if words.is_public(part)}
    return title.model_copy(update={"person": None, "facets": tuple(shown.values()), "parts": tuple(shown)})


def title_payment(payments: Iterable[Mapping[str, Any]]) -> TitlePayment | None:
    """Return the payment that a title names: the largest of those whose standing says most."""

    def _place(payment: Mapping[str, Any]) -> tuple[int, bool, int, str]:
        amount = payment["amount_minor"]
        return _BY_IMPORTANCE.index(payment["standing"]), amount is None, -(amount or 0), payment["currency"] or ""

    best = min(payments, key=_place, default=None)
    return TitlePayment.model_validate({**best}) if best else None


def title_parts(title: TitleView, language: Language = "en", texts: NullTranslations = ENGLISH) -> list[str]:
    """Return the parts of a title in a language, none if nothing says what the archive is. Where a person and a name of
    the template lack, the process number tells archives apart that somebody paid for alike.
    """
    template = None if title.template_id is None else title.template.worded(language)
    paid = title.payment and _paid(title.payment, texts)
    if paid and not (title.person or template):
        process = texts.gettext(WORDS["title_process"]) % {"number": title.process_number}
        template = title.template_id if title.process_number is None else process
    return [each for each in (title.person, template, *title.facets, paid) if each]


def title_text(title: TitleView, language: Language = "en", texts: NullTranslations = ENGLISH) -> str:
    """Return a title in a language: `Noa Levi · Loan agreement · Haifa · ₪60,000 charged`. It may be empty."""
    return " · ".join(title_parts(title, language, texts))


def _paid(payment: TitlePayment, texts: NullTranslations) -> str:
    standing = texts.gettext(WORDS[payment.standing]).lower() if payment.standing in WORDS else payment.standing
    return f"{_money(payment.amount_minor, payment.currency, texts)} {standing}" if payment.amount_minor else standing


def _money(amount_minor: int, currency: str | None, texts: NullTranslations) -> str:
    exponent = exponent_of(currency)
    if exponent is None or currency not in _SIGNS:
        return amount_text(amount_minor, currency, exponent, texts)
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    fraction = f".{rest:0{exponent}}" if rest else ""
    return f"{'-' if amount_minor < 0 else ''}{_SIGNS[currency]}{whole:,}{fraction}"


def _value(rows: Rows, part: PartId) -> str:
    """Return the first value of a field or a label, empty if there is none."""
    table, key = (FormFieldRow, "id") if part.startswith("field:") else (LabelRow, "key")
    found = (short(each["value"]) for each in rows_of(rows, table) if each[key] == name_in(part))
    return next(filter(None, found), "")
