"""Books payments: gives each payment its standing, its amounts and the day on which it was made."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from functools import partial
from gettext import NullTranslations
from itertools import count

from domain.payments.amounts import Amounts, Instalments, amount_text, amounts_of, instalments_of
from domain.payments.standing import deciding, standing_of
from domain.secrets.cards import last_four, masked
from models.archive.archive import Archive
from models.archive.session import Session
from models.payments import Attempt, Payment, PaymentTerms, Standing
from models.views.archives.payments import PaymentView


@dataclass(frozen=True, slots=True)
class BookedPayment:
    """A payment as it is booked. All members but `payment` come from the attempt that decides.

    `name` is unique within the archive. `paid_on` is the day on which the payment's session was submitted, or the day
    of the archive's event where that is unknown. `others` holds the payment as each other attempt would book it.
    """

    payment: Payment
    name: str
    attempt: Attempt
    standing: Standing
    amounts: Amounts
    instalments: Instalments
    paid_on: date | None
    others: tuple["BookedPayment", ...] = ()

    def amount_text(self, texts: NullTranslations | None = None) -> str:
        return self.text_of(self.amounts.amount_minor, texts)

    def text_of(self, amount_minor: int | None, texts: NullTranslations | None = None) -> str:
        """Return an amount in this payment's currency, as `amount_text` words it."""
        return amount_text(amount_minor, self.attempt.currency, self.amounts.exponent, texts)


def booked(archive: Archive, terms: PaymentTerms) -> list[BookedPayment]:
    """Return the booked payments of an archive, in the archive's order. Pure."""
    submitted = _submissions(archive.sessions)

    def paid_at(attempt: Attempt) -> datetime | None:
        return submitted.get(attempt.session_id, archive.event_at)

    named = zip(archive.payments, names(archive.payments), strict=True)
    return [_booked(payment, name, terms, paid_at) for payment, name in named]


_Moment = Callable[[Attempt], datetime | None]


def _booked(payment: Payment, name: str, terms: PaymentTerms, paid_at: _Moment) -> BookedPayment:
    decides = deciding(payment, terms)
    by = partial(_by_attempt, payment, name, terms, paid_at)
    others = tuple(by(each) for each in payment.attempts if each is not decides)
    return replace(by(decides), others=others) if others else by(decides)


def _by_attempt(payment: Payment, name: str, terms: PaymentTerms, paid_at: _Moment, attempt: Attempt) -> BookedPayment:
    amounts, moment = amounts_of(attempt, terms), paid_at(attempt)
    return BookedPayment(
        payment=payment,
        name=name,
        attempt=attempt,
        standing=standing_of(attempt, terms),
        amounts=amounts,
        instalments=instalments_of(attempt, amounts),
        paid_on=None if moment is None else terms.day_of(moment),
    )


def _submissions(sessions: Iterable[Session]) -> dict[str | None, datetime]:
    submitted: dict[str | None, datetime] = {}
    for session in sessions:
        if session.id is not None and session.submitted_at is not None:
            submitted.setdefault(session.id, session.submitted_at)
    return submitted


def names(payments: Iterable[Payment]) -> Iterator[str]:
    """Return a name for each payment: its transaction id, or its number among payments without a showable id.

    The number depends on the version: if another version orders its payments differently, the same name means another
    payment. The rule must stay, since recorded ids, with their explanations, are made from these names.
    """
    others = count()
    for payment in payments:
        transaction_id = payment.transaction_id
        yield transaction_id if transaction_id and is_showable(transaction_id) else f"payment[{next(others)}]"


def is_showable(transaction_id: str | None) -> bool:
    """Return whether there is an id and it is no card number: two masked card numbers could look the same."""
    return transaction_id is not None and masked(transaction_id) == transaction_id


def card_last4(attempt: Attempt) -> str | None:
    return attempt.card_no_last4 or last_four(attempt.card_mask)


_AS_READ = tuple(each.name for each in fields(Attempt) if each.name in PaymentView.model_fields)


def shown(payment: BookedPayment) -> PaymentView:
    """Return the view of a payment. It contains nothing that could charge a card."""
    attempt, instalments = payment.attempt, payment.instalments
    return PaymentView(
        **{name: getattr(attempt, name) for name in _AS_READ},
        amount_minor=payment.amounts.amount_minor,
        card_last4=card_last4(attempt),
        standing=payment.standing,
        attempts=len(payment.payment.attempts),
        paid_on=payment.paid_on,
        instalments=instalments.count,
        first_minor=instalments.first_minor,
        periodical_minor=instalments.periodical_minor,
    )
