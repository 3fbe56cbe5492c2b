"""The facets of archives: digests of what they are found by. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlmodel import SQLModel

from domain.search.text import normalised, searched_text
from models.archive.archive import ArchiveRow, FormFieldRow, SignatureRow, State
from models.archive.content import FileRow
from models.archive.session import LabelRow, SessionRow
from models.archive.verdict import SignedDocumentRow
from models.archive.warning import WarningCode, WarningRow
from models.payments import PaymentRow
from models.search.entry import MOST_FACETS, Kind, Searchable

Rows = Mapping[type[SQLModel], Sequence[Mapping[str, Any]]]
Facets = Mapping[Kind, frozenset[int]]

TABLES: tuple[type[SQLModel], ...] = (
    SessionRow,
    LabelRow,
    FileRow,
    SignatureRow,
    FormFieldRow,
    PaymentRow,
    SignedDocumentRow,
    WarningRow,
)
"""The tables that texts and facets of a payload are made from."""
ALL = "*"
_FORM = 2
"""Grows when texts or facets are made in another way."""


def facet(kind: Kind, value: object, name: str = "") -> int:
    """Return the digest of a value: 64 bits of the SHA-256. Two of a billion values share one with a chance of 3 %."""
    text = json.dumps([kind, name, str(value)]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], signed=True)


def field_text(value: Any) -> str:
    """Return the text by which the value of a form field is found."""
    return normalised(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


_FAILED = facet(Kind.STATE, State.FAILED)


def archive_facets(archive: ArchiveRow) -> Facets:
    """Return the facets that an archive has from its first delivery on."""
    return {
        Kind.PROCESS_NUMBER: _facets(Kind.PROCESS_NUMBER, [archive.process_number]),
        Kind.TEMPLATE: _facets(Kind.TEMPLATE, [archive.template_id]),
        Kind.SOURCE: _facets(Kind.SOURCE, [archive.source]),
        Kind.STATE: _facets(Kind.STATE, [archive.state]),
        Kind.CAUSE: _facets(Kind.CAUSE, [archive.cause_code]),
    }


def payload_facets(rows: Rows, searchable: Searchable) -> Facets:
    """Return the facets of a version, by its rows. Labels and fields that are not searchable have none."""
    return {
        Kind.TRANSACTION_NUMBER: _facets(Kind.TRANSACTION_NUMBER, _values(rows, SessionRow, "transaction_number")),
        Kind.SESSION: _facets(Kind.SESSION, _values(rows, SessionRow, "id")),
        Kind.LABEL: _named(Kind.LABEL, _labels(rows, searchable)),
        Kind.FIELD: _named(Kind.FIELD, _fields(rows, searchable)),
        Kind.FILENAME: _facets(Kind.FILENAME, map(normalised, _values(rows, FileRow, "filename"))),
        Kind.SIGNER: _facets(Kind.SIGNER, map(normalised, _signers(rows))),
        **standing_facets(_values(rows, PaymentRow, "standing")),
        **judged_facets(rows),
    }


def standing_facets(standings: Iterable[str]) -> Facets:
    """Return the facets of the standings of an archive's payments."""
    return {Kind.STANDING: _facets(Kind.STANDING, standings)}


def judged_facets(rows: Rows) -> Facets:
    """Return the facets that follow from the verdict on the signed document, with all warnings."""
    return {
        Kind.VERDICT: _facets(Kind.VERDICT, _values(rows, SignedDocumentRow, "outcome")),
        Kind.WARNING: _facets(Kind.WARNING, _values(rows, WarningRow, "code")),
    }


def discrepancy_facets(codes: Iterable[str]) -> Facets:
    """Return the facets of the discrepancies that are not closed."""
    return {Kind.DISCREPANCY: _facets(Kind.DISCREPANCY, codes)}


def condition_facets(codes: Iterable[str]) -> Facets:
    """Return the facets of the open conditions."""
    return {Kind.CONDITION: _facets(Kind.CONDITION, codes)}


def attention_facets(is_needed: bool, warnings: Iterable[WarningCode]) -> Facets:
    """Return the facets that say whether a person should look at an archive, and the warnings about what arrived."""
    return {
        Kind.ATTENTION: _facets(Kind.ATTENTION, [True] if is_needed else []),
        Kind.SOURCES: _facets(Kind.SOURCES, warnings),
    }


def may_need_attention(facets: Facets) -> bool:
    """Return whether facets of an archive are a reason to ask if a person should look at it."""
    is_warned = facets.get(Kind.WARNING) or facets.get(Kind.DISCREPANCY) or facets.get(Kind.CONDITION)
    return bool(is_warned) or _FAILED in facets.get(Kind.STATE, ())


def text_of(archive: ArchiveRow, rows: Rows | None, searchable: Searchable) -> str:
    """Return the text in which `q` finds an archive: numbers and names that people see in Cellosign, labels and file
    names. `rows` is None before the archive is loaded.
    """
    return searched_text(str(each) for each in _texts(archive, rows, searchable) if each is not None)


def is_searchable(name: str, names: frozenset[str]) -> bool:
    return ALL in names or name in names


def _texts(archive: ArchiveRow, rows: Rows | None, searchable: Searchable) -> Iterator[Any]:
    yield from (archive.reference, archive.process_number, archive.template_id)
    if rows is None:
        return
    for each in rows.get(SessionRow, ()):
        yield from (each[name] for name in ("id", "author", "recipient_name", "transaction_number"))
    yield from _signers(rows)
    yield from (value for _, value in _labels(rows, searchable))
    yield from _values(rows, FileRow, "filename")
    yield from (value for _, value in _fields(rows, searchable))


def _labels(rows: Rows, searchable: Searchable) -> Iterator[tuple[str, str]]:
    labels = ((each["key"], each["value"]) for each in rows.get(LabelRow, ()))
    return ((key, value) for key, value in labels if is_searchable(key, searchable.labels))


def _fields(rows: Rows, searchable: Searchable) -> Iterator[tuple[str, str]]:
    fields = ((each["id"], each["value"]) for each in rows.get(FormFieldRow, ()))
    return ((id_, field_text(value)) for id_, value in fields if id_ and is_searchable(id_, searchable.fields))


def _signers(rows: Rows) -> Iterator[str]:
    yield from _values(rows, SignatureRow, "signer_name")
    yield from _values(rows, SessionRow, "recipient_name")


def _values(rows: Rows, table: type[SQLModel], name: str) -> Iterator[Any]:
    return (each[name] for each in rows.get(table, ()) if each[name] is not None)


def _facets(kind: Kind, values: Iterable[object]) -> frozenset[int]:
    distinct = dict.fromkeys(each for each in values if each is not None)
    return frozenset(facet(kind, each) for each in islice(distinct, MOST_FACETS))


def _named(kind: Kind, pairs: Iterable[tuple[str, str]]) -> frozenset[int]:
    return frozenset(facet(kind, value, name) for name, value in islice(dict.fromkeys(pairs), MOST_FACETS))


def digest_of(searchable: Searchable) -> str:
    """Return a digest of the settings and of the form of texts and facets. A change of either fills in all entries."""
    text = json.dumps([_FORM, sorted(searchable.labels), sorted(searchable.fields)])
    return hashlib.sha256(text.encode()).hexdigest()
