"""Compares two versions of an archive, and the rows of the database with those that the store gives."""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import MAX_PREC, Context, Decimal
from typing import Any

from domain.archive.rows import label_text
from domain.payments.booking import BookedPayment, booked, shown
from models.archive.archive import Archive, Change, Difference, DifferenceKind, FormField, Signature, Values
from models.archive.content import Content, Role, StoredContent
from models.archive.session import Session
from models.payments import Attempt, PaymentTerms
from models.views.archives.archives import FieldView, FileView, SessionView, SignatureView

_OBJECTS = ("labels", "meta", "recipient", "signed_by", "submission_details")
_WITHHELD = ("amount", "authorisation", "card_expires", "cguid", "provider_total", "results")
_EXACT = Context(prec=MAX_PREC)


@dataclass(frozen=True, slots=True)
class _Thing:
    """A part of an archive. `role` distinguishes the signed document from attachments. `kept` is never shown."""

    role: str
    id: str | None
    members: Mapping[str, Any]
    kept: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A thing with its position within its kind. Equal things have the same `text`."""

    position: int
    key: str
    text: str
    thing: _Thing


def differences(before: Archive, after: Archive, terms: PaymentTerms) -> list[Difference]:
    """Return the fields, files, payments, signatures and sessions that were added, removed or changed. Pure.

    Differences are ordered by kind, then as in `after`, with removed things at the end of their kind. The order within
    a payload makes no difference. Among things with the same id, or without an id, equal things are matched first and
    the rest in order.

    Args:
        terms: the terms by which payments are booked.
    """
    old, new = _things(before, terms), _things(after, terms)
    return [found for kind in DifferenceKind for found in _compared(kind, _placed(old[kind]), _placed(new[kind]))]


def _compared(kind: DifferenceKind, before: Sequence[_Placed], after: Sequence[_Placed]) -> Iterator[Difference]:
    waiting: dict[tuple[str, str | None], deque[_Placed]] = defaultdict(deque)
    for old in _without_equals(before, after):
        waiting[old.thing.role, old.thing.id].append(old)
    for new in _without_equals(after, before):
        partners = waiting[new.thing.role, new.thing.id]
        if partners:
            yield _difference(kind, Change.CHANGED, new.key, partners.popleft().thing, new.thing)
        else:
            yield _difference(kind, Change.ADDED, new.key, None, new.thing)
    left = [old for partners in waiting.values() for old in partners]
    for old in sorted(left, key=lambda each: each.position):
        yield _difference(kind, Change.REMOVED, old.key, old.thing, None)


def _without_equals(things: Iterable[_Placed], others: Iterable[_Placed]) -> Iterator[_Placed]:
    """Return the things without an equal in `others`. Each item of `others` equals at most one thing."""
    equals = Counter(each.text for each in others)
    for each in things:
        if equals[each.text]:
            equals[each.text] -= 1
        else:
            yield each


def _placed(things: Iterable[_Thing]) -> list[_Placed]:
    nameless: Counter[str] = Counter()
    placed = []
    for position, thing in enumerate(things):
        key = thing.id
        if key is None:
            key = thing.role if thing.role == Role.SIGNED_DOCUMENT else f"{thing.role}[{nameless[thing.role]}]"
            nameless[thing.role] += 1
        placed.append(_Placed(position, key, _json([thing.members, thing.kept]), thing))
    return placed


def _difference(
    kind: DifferenceKind, change: Change, key: str, before: _Thing | None, after: _Thing | None
) -> Difference:
    shown = _changes(before.members if before else {}, after.members if after else {})
    kept = _changes(before.kept, after.kept) if before and after else {}
    # A shown difference in `amount_minor` makes a withheld difference in the `amount` as sent redundant.
    told = shown.keys() | ({"amount"} if "amount_minor" in shown else set())
    return Difference(kind, key, change, shown, tuple(name for name in kept if name not in told))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Values]:
    names = dict.fromkeys([*after, *before])
    values = {name: Values(before.get(name), after.get(name)) for name in names}
    return {name: each for name, each in values.items() if _json(each.before) != _json(each.after)}


def _json(value: Any) -> str:
    """Return a value as JSON, which distinguishes true from 1, unlike Python's comparison."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _things(archive: Archive, terms: PaymentTerms) -> dict[DifferenceKind, list[_Thing]]:
    return {
        DifferenceKind.FIELD: [_field(each) for each in archive.fields],
        DifferenceKind.FILE: [_file(each, each.stored) for each in archive.contents if each.stored],
        DifferenceKind.PAYMENT: [_payment(each) for each in booked(archive, terms)],
        DifferenceKind.SIGNATURE: [_signature(each) for each in archive.signatures],
        DifferenceKind.SESSION: [_session(each) for each in archive.sessions],
    }


def _field(field: FormField) -> _Thing:
    view = FieldView.model_validate(field, from_attributes=True)
    return _Thing(DifferenceKind.FIELD, field.id, _shown(view.model_dump(mode="json")), field.unmasked)


def _file(content: Content, stored: StoredContent) -> _Thing:
    # Scan results may differ between versions of an unchanged file.
    view = FileView(**asdict(content) | asdict(stored) | {"looks_like": None, "infection": None})
    return _Thing(content.role, content.element_id, _shown(view.model_dump(mode="json")), {})


def _payment(payment: BookedPayment) -> _Thing:
    attempt = payment.attempt
    kept: dict[str, Any] = {name: text for name, text in _as_sent(attempt).items() if name in _WITHHELD}
    if others := [_as_sent(each) for each in payment.payment.attempts if each is not attempt]:
        kept["other_attempts"] = others
    view = shown(payment).model_dump(mode="json")
    return _Thing(DifferenceKind.PAYMENT, attempt.transaction_id, _shown(view), kept)


def _as_sent(attempt: Attempt) -> dict[str, str]:
    """Return the members of an attempt that have a value. Equal numbers become equal text."""
    members = {name: value for name, value in asdict(attempt).items() if value is not None}
    return {
        name: str(_EXACT.normalize(value)) if isinstance(value, Decimal) else str(value)
        for name, value in members.items()
    }


def _signature(signature: Signature) -> _Thing:
    view = SignatureView(**asdict(signature), signed_by={"id": signature.signer_id, "name": signature.signer_name})
    return _Thing(DifferenceKind.SIGNATURE, signature.id, _shown(view.model_dump(mode="json")), {})


def _session(session: Session) -> _Thing:
    members = {name: getattr(session, name) for name in SessionView.model_fields}
    members["labels"] = {key: label_text(value) for key, value in session.labels.items()}
    view = SessionView.model_validate(members, from_attributes=True)
    return _Thing(DifferenceKind.SESSION, session.id, _shown(view.model_dump(mode="json")), {})


def _shown(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a view that have a value. Objects are flattened (`recipient.name`)."""
    members: dict[str, Any] = {}
    for name, value in view.items():
        members |= {f"{name}.{inner}": each for inner, each in value.items()} if name in _OBJECTS else {name: value}
    return {name: value for name, value in members.items() if value is not None}


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that differs, by its place among the rows of its table. `columns` are the differing columns; none for a row
    that only the store has (`is_missing`) or only the database.
    """

    place: str
    columns: tuple[str, ...] = ()
    is_missing: bool = False

    def __str__(self) -> str:
        row = f"row {self.place}" if self.place else "the row"
        if self.columns:
            return f"has another {', '.join(self.columns)} in {row}"
        return f"lacks {row}" if self.is_missing else f"has an unknown {row}"


def row_differences(
    key_columns: Sequence[str], said: Iterable[Row], recorded: Iterable[Row]
) -> Iterator[RowDifference]:
    """Compare the rows that the store gives with recorded rows of the same archive and table, by their keys. Pure.

    Only columns that the store gives are compared: other columns are not derived from it.
    """
    left = {_key(row, key_columns): row for row in said}
    for row in recorded:
        key = _key(row, key_columns)
        expected = left.pop(key, None)
        if expected is None:
            yield RowDifference(_place(key))
        elif columns := tuple(name for name, value in expected.items() if not _is_equal(value, row[name])):
            yield RowDifference(_place(key), columns)
    for key in left:
        yield RowDifference(_place(key), is_missing=True)


def _key(row: Row, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in columns)


def _place(key: tuple[Any, ...]) -> str:
    """Return a key for people: ids and positions, never people's own text."""
    return "-".join(map(str, key))


def _is_equal(said: Any, recorded: Any) -> bool:
    return bool(said == recorded) or _plain(said) == _plain(recorded)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return value if isinstance(value, date | bytes) else json.loads(json.dumps(value, default=str))
