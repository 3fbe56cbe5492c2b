"""What archives are found by: the facets, the text and the number of an entry. Pure.

Facets are digests. Texts are normalised, and so is what people search for, which is split into terms.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlmodel import SQLModel

from domain.archive.rows import Rows, label_text
from domain.payments.amounts import amount_text, exponent_of
from domain.personal import is_personal
from models.archive.archive import ArchiveRow, FormFieldRow, SignatureRow, State, WarningCode, WarningRow
from models.archive.content import FileRow, SignedDocumentRow
from models.archive.session import InvitationRow, LabelRow, SessionRow
from models.payments import PaymentRow
from models.search import MOST_FACETS, Kind, Searchable
from models.templates import Names, PartId, TemplateWords
from models.views.archives.archives import ArchiveSummary

Facets = Mapping[Kind, frozenset[int]]

COLUMNS: Mapping[type[SQLModel], Sequence[str]] = {
    SessionRow: ("id", "author", "recipient_name", "transaction_number", "submitted_at"),
    InvitationRow: ("address",),
    LabelRow: ("key", "value"),
    FileRow: ("filename",),
    SignatureRow: ("signer_name",),
    FormFieldRow: ("id", "value"),
    PaymentRow: ("standing", "amount_minor", "currency", "card_brand", "card_last4"),
    SignedDocumentRow: ("outcome",),
    WarningRow: ("code",),
}
"""The columns that texts, titles, facets and the retention of a payload are made from, by table."""
MOST_ROWS = 2 * MOST_FACETS
"""The most rows of one table that text, title and facets of an archive are made from."""
ALL = "*"
_PLACES_OF_SESSIONS = {
    Kind.SESSION: "id",
    "author": "author",
    Kind.SIGNER: "recipient_name",
    Kind.TRANSACTION_NUMBER: "transaction_number",
}
_FORM = 6
"""Grows when texts, titles or facets are made in another way."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLOTS = 256
"""Numbers per millisecond. Numbers that lie close together take little room in the text index."""
TRIGRAM = 3
_MOST_TERMS = 16
_MOST_TRIGRAMS = 64
MOST_VALUE = 300
"""The most characters of a value that a search looks in."""
_MOST_TEXT = 8_000
_MOST_SHOWN = 80
PERSONAL_FROM_HERE = "\x1f"
"""Stands between the public and the personal text of an archive. No normalised text has it, so no term has it."""
_BETWEEN = "  "
"""Stands before each value. A term of one character finds the values that begin with it, by the trigram of both."""
_DROPPED = ("Mn", "Cf", "Cc")  # vowel points and accents, marks of direction, control characters
_AS_TYPED = str.maketrans(
    {"״": '"', "”": '"', "“": '"', "׳": "'", "’": "'", "‘": "'"}
    | dict.fromkeys("\N{HEBREW PUNCTUATION MAQAF}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}", "-")
)
_TERM = re.compile(rf'"(.{{1,{MOST_VALUE}}}?)"(?!\S)|(\S+)', re.DOTALL)
_WORD = re.compile(r"[^\W_]+")
_DAY = re.compile(r"(?<!\d)(?:(\d{1,2})([./-])(\d{1,2})\2(?:20)?(\d\d)|20(\d\d)-(\d\d)-(\d\d))(?!\d)", re.ASCII)
_OF_DAYS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
"""Days have digits of their own in texts, so that nobody finds all archives of a year who looks for the number 2026."""
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_AMOUNT = re.compile(r"[₪$€£]?(-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)[₪$€£]?")
_CARD = re.compile(r"[*x•]+(\d{4})")
_CURRENCIES = frozenset(['ש"ח', "שח", "₪", "ils", "nis", "$", "€", "£"])
"""Words that do not count beside others: amounts are found in any currency."""


@lru_cache(10_000, typed=True)
def facet(kind: Kind, value: object, name: str = "") -> int:
    """Return the digest of a value: 64 bits of the SHA-256. Two of a billion values share one with a chance of 3 %."""
    text = json.dumps([kind, name, str(value)]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], signed=True)


def field_text(value: Any) -> str:
    """Return the text by which the value of a form field is found."""
    return normalised(label_text(value))


def named_facet(kind: Kind, name: str, value: str) -> int:
    """Return the facet of a value of a label or a field."""
    return facet(kind, value if kind == Kind.LABEL else field_text(value), name)


def short(value: Any) -> str:
    """Return a value of a payload in one line of at most 80 characters, empty if it is none."""
    line = "" if value is None else " ".join(label_text(value)[: 4 * _MOST_SHOWN].split())
    return line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…"


_FAILED = facet(Kind.STATE, State.FAILED)


def facets_of(kind: Kind, values: Iterable[object]) -> Facets:
    """Return the facets of one kind, such as the codes of the discrepancies that are not closed."""
    return {kind: _facets(kind, values)}


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
        **facets_of(Kind.STANDING, _values(rows, PaymentRow, "standing")),
        **judged_facets(rows),
    }


def judged_facets(rows: Rows) -> Facets:
    """Return the facets that follow from the verdict on the signed document, with all warnings."""
    return {
        Kind.VERDICT: _facets(Kind.VERDICT, _values(rows, SignedDocumentRow, "outcome")),
        Kind.WARNING: _facets(Kind.WARNING, _values(rows, WarningRow, "code")),
    }


def facet_values(rows: Rows, parts: Iterable[PartId]) -> dict[int, dict[str, Any]]:
    """Return the values of fields and labels as rows of `FacetValueRow`, by their facets. Each is whole, since archives
    are found by it: what is longer than 80 characters, or empty, is none.
    """
    wanted = Searchable(frozenset(), frozenset()).with_parts(parts)
    found = [(Kind.LABEL, key, value, value) for key, value in _labels(rows, wanted)]
    fields = ((each["id"], each["value"]) for each in rows_of(rows, FormFieldRow) if each["id"] in wanted.fields)
    values = ((id_, label_text(value)) for id_, value in fields if value is not None)
    found += [(Kind.FIELD, id_, value, normalised(value)) for id_, value in values]
    return {
        (its := facet(kind, compared, name)): {"facet": its, "kind": kind, "name": name, "value": value}
        for kind, name, value, compared in islice(found, MOST_FACETS)
        if compared.strip() and len(value) <= _MOST_SHOWN
    }


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


def text_of(archive: ArchiveRow, rows: Rows | None, searchable: Searchable, words: TemplateWords) -> str:
    """Return the text in which `q` finds an archive: numbers and names that people see in Cellosign, labels and file
    names. `rows` is None before the archive is loaded. Personal text stands behind a mark, beyond which viewers do not
    find anything.
    """
    divided: dict[bool, list[str]] = {True: [], False: []}
    for each in placed_texts(archive, rows, searchable, words):
        text = str(each.value)
        divided[is_public(each, words)].append(_as_texts_have_it(text) if each.place == "day" else text)
    return divided_text(divided[True], divided[False])


def is_searchable(name: str, names: frozenset[str]) -> bool:
    return ALL in names or name in names


class Placed(NamedTuple):
    """A value that `q` looks in. `place` is what it is, as a filter or a column is named; `name` the key of a label or
    the id of a form field.
    """

    place: str
    name: str
    value: Any


def is_public(placed: Placed, words: TemplateWords) -> bool:
    """Return whether a value that `q` looks in is not personal. Of labels and fields, people say so."""
    if placed.place in (Kind.LABEL, Kind.FIELD):
        return words.is_public(f"{placed.place}:{placed.name}")
    return not is_personal("", placed.place)


SEARCHED = (
    *("reference", Kind.PROCESS_NUMBER, Kind.TRANSACTION_NUMBER, Kind.TEMPLATE, "amount", "day", Kind.SIGNER),
    *("mail", "card", "author", Kind.SESSION, Kind.FILENAME),
)
"""The places that `q` looks in, in the order in which people are told."""


def searched_places(*, in_public: bool) -> list[str]:
    """Return the places that `q` looks in. `in_public`: those that are not personal wherever nobody says so."""
    return [each for each in SEARCHED if not in_public or is_public(Placed(each, "", None), TemplateWords())]


def placed_texts(
    archive: ArchiveRow | ArchiveSummary, rows: Rows | None, searchable: Searchable, words: TemplateWords
) -> Iterator[Placed]:
    """Yield the values of an archive that `q` looks in. `rows` is None before the archive is loaded."""
    return (each for each in _placed(archive, rows or {}, searchable, words) if each.value is not None)


def _placed(
    archive: ArchiveRow | ArchiveSummary, rows: Rows, searchable: Searchable, words: TemplateWords
) -> Iterator[Placed]:
    yield Placed("reference", "", archive.reference)
    yield Placed(Kind.PROCESS_NUMBER, "", archive.process_number)
    for name in (archive.template_id, words.name.en, words.name.he):
        yield Placed(Kind.TEMPLATE, "", name)
    for at in (archive.received_at, *_values(rows, SessionRow, "submitted_at")):
        if 1999 < at.year < 2100:  # a payload may state any time, and people write two digits
            yield Placed("day", "", at.astimezone(ZoneInfo(searchable.zone)).date().isoformat())
    for each in rows_of(rows, PaymentRow):
        if each["amount_minor"] is not None:
            paid = amount_text(each["amount_minor"], each["currency"], exponent_of(each["currency"]))
            yield Placed("amount", "", paid)
        if each["card_last4"]:
            yield Placed("card", "", f"{each['card_brand'] or ''} *{each['card_last4']}")
    for each in rows_of(rows, SessionRow):
        yield from (Placed(place, "", each[name]) for place, name in _PLACES_OF_SESSIONS.items())
    yield from (Placed(Kind.SIGNER, "", each) for each in _signers(rows))
    yield from (Placed("mail", "", each) for each in _values(rows, InvitationRow, "address"))
    for kind, pairs in ((Kind.LABEL, _labels(rows, searchable)), (Kind.FIELD, _fields(rows, searchable))):
        for name, value in pairs:
            yield from (Placed(kind, name, each) for each in (value, *_called(words, f"{kind}:{name}", value)))
    yield from (Placed(Kind.FILENAME, "", each) for each in _values(rows, FileRow, "filename"))


def _called(words: TemplateWords, part: str, value: str) -> Iterator[str | None]:
    """Yield what people call a value of a field or a label."""
    for known, names in (words.parts[part].values if part in words.parts else {}).items():
        if normalised(known) == normalised(value):
            yield from (names.en, names.he)


def _labels(rows: Rows, searchable: Searchable) -> Iterator[tuple[str, str]]:
    labels = ((each["key"], each["value"]) for each in rows_of(rows, LabelRow))
    return ((key, value) for key, value in labels if is_searchable(key, searchable.labels))


def _fields(rows: Rows, searchable: Searchable) -> Iterator[tuple[str, str]]:
    fields = ((each["id"], each["value"]) for each in rows_of(rows, FormFieldRow))
    return ((id_, field_text(value)) for id_, value in fields if id_ and is_searchable(id_, searchable.fields))


def _signers(rows: Rows) -> Iterator[str]:
    yield from _values(rows, SignatureRow, "signer_name")
    yield from _values(rows, SessionRow, "recipient_name")


def _values(rows: Rows, table: type[SQLModel], name: str) -> Iterator[Any]:
    return (each[name] for each in rows_of(rows, table) if each[name] is not None)


def rows_of(rows: Rows, table: type[SQLModel]) -> Iterable[Mapping[str, Any]]:
    """Return the rows of a table that text, title and facets are made from, the first 4,000."""
    return islice(rows.get(table, ()), MOST_ROWS)


def _facets(kind: Kind, values: Iterable[object]) -> frozenset[int]:
    distinct = dict.fromkeys(each for each in values if each is not None)
    return frozenset(facet(kind, each) for each in islice(distinct, MOST_FACETS))


def _named(kind: Kind, pairs: Iterable[tuple[str, str]]) -> frozenset[int]:
    return frozenset(facet(kind, value, name) for name, value in islice(dict.fromkeys(pairs), MOST_FACETS))


Definitions = tuple[tuple[Any, ...], ...]
"""The ids of templates with their titles, facets, public parts, retention and names, in order, where these are not the
default.
"""


def definitions_of(words: Mapping[str, TemplateWords]) -> Definitions:
    """Return what entries are made by, of what people say about templates."""
    default = _definition(TemplateWords())
    said = ((id_, *_definition(each)) for id_, each in sorted(words.items()))
    return tuple(each for each in said if each[1:] != default)


def _definition(words: TemplateWords) -> tuple[Any, ...]:
    public = tuple(part for part in sorted(words.parts) if words.is_public(part))
    named = sorted((part, value, names) for part, its in words.parts.items() for value, names in its.values.items())
    called = (_both(words.name), *((part, value, *_both(names)) for part, value, names in named))
    return tuple(words.title), tuple(words.facets), public, words.retention, called


def _both(names: Names) -> tuple[str | None, str | None]:
    return names.en, names.he


@lru_cache
def version_of(searchable: Searchable, definitions: Definitions) -> int:
    """Return the version of entries: a digest of how they are made, by settings and by templates. Never 0."""
    text = json.dumps([_FORM, sorted(searchable.labels), sorted(searchable.fields), searchable.zone, definitions])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True) or 1


def first_id_at(moment: datetime) -> int:
    """Return the smallest number of an archive that was received in the millisecond of a moment, or later."""
    return (moment - _EPOCH) // timedelta(milliseconds=1) * _SLOTS


def first_id_after(moment: datetime) -> int:
    """Return the smallest number of an archive that was received after the millisecond of a moment."""
    return first_id_at(moment) + _SLOTS


def ids_for(reference: str, received_at: datetime) -> Iterator[int]:
    """Yield the numbers that an archive may take, best first: the first that no other archive has is its number.

    Within a millisecond, numbers follow the microseconds. Archives of the same 4 microseconds are in no order.
    """
    micros = (received_at - _EPOCH) // timedelta(microseconds=1) % 1000
    start = first_id_at(received_at) + micros * _SLOTS // 1000
    yield start
    step = 1 + hashlib.sha256(reference.encode()).digest()[0] % 7
    number = start
    while True:
        number += step
        yield number


@dataclass(frozen=True, slots=True)
class Term:
    """A text that an archive must contain. `pattern` is what to look for in the normalised text: a term of one or two
    characters begins a value or a word. `in_public`: only text that is not personal counts.
    """

    pattern: str
    in_public: bool = False

    @property
    def trigrams(self) -> tuple[str, ...]:
        """The distinct sequences of three characters in the pattern, the first 64."""
        found = (self.pattern[at : at + TRIGRAM] for at in range(len(self.pattern) - TRIGRAM + 1))
        return tuple(dict.fromkeys(found))[:_MOST_TRIGRAMS]


def normalised(text: str) -> str:
    """Return a text as it is compared: without case, vowel points, accents, marks of direction and double spaces.

    Hebrew quotation marks, the maqaf and dashes become the ASCII signs that keyboards have.
    """
    if text.isascii() and text.isprintable():  # most values; the rest takes ten times as long
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKD", text).casefold()
    spaced = "".join(" " if each.isspace() else each for each in unicodedata.normalize("NFKD", folded))
    kept = "".join(each for each in spaced if unicodedata.category(each) not in _DROPPED)
    return " ".join(unicodedata.normalize("NFC", kept).translate(_AS_TYPED).split())


def searched_text(values: Iterable[str]) -> str:
    """Return the text in which values are found: the values, normalised; their words that follow a punctuation mark, so
    that a short term finds these too; their days and amounts, as people search for them in any spelling. At most 300
    characters of a value and 8,000 in all.
    """
    shown = dict.fromkeys(normalised(each[:MOST_VALUE]) for each in values)
    made = "".join(f"{_BETWEEN}{each}" for each in shown if each)
    hidden = dict.fromkeys(
        match[0] for match in _WORD.finditer(made) if match.start() and made[match.start() - 1] != " "
    )
    amounts = (each.replace(",", "") for each in _THOUSANDS.findall(made))
    plain = dict.fromkeys([*map(_day, _DAY.finditer(made)), *amounts])
    return "".join([made, *(f" {each}" for each in hidden | plain)])[:_MOST_TEXT]


def _day(found: re.Match[str]) -> str:
    """Return a day as texts have it: people write 1.11.2026, 01/11/26 or 2026-11-01."""
    day, month, year = (found[1], found[3], found[4]) if found[1] else (found[7], found[6], found[5])
    return f"20{year}{month:0>2}{day:0>2}".translate(_OF_DAYS)


def _as_texts_have_it(word: str) -> str:
    """Return a word that people type as texts have it, if it is a day, an amount, or the end of a number of a card."""
    if day := _DAY.fullmatch(word):
        return _day(day)
    if card := _CARD.fullmatch(word):
        return f"*{card[1]}"
    return amount[1].replace(",", "") if (amount := _AMOUNT.fullmatch(word)) else word


def divided_text(public: Iterable[str], personal: Iterable[str]) -> str:
    """Return the text in which values are found, the public ones first, in half of its length at most."""
    return f"{searched_text(public)[: _MOST_TEXT // 2]}{PERSONAL_FROM_HERE}{searched_text(personal)}"[:_MOST_TEXT]


def terms_of(q: str, *, in_public: bool = False) -> tuple[Term, ...]:
    """Return the terms of a search: its words, and what stands in quotation marks as a whole. The first 16. Words that
    are days or amounts count in any spelling.

    A quotation mark within a word belongs to the word, as in צה"ל, also between quotation marks.
    """
    typed = _TERM.findall(q.translate(_AS_TYPED))
    found = [normalised(quoted) if quoted else _as_texts_have_it(normalised(word)) for quoted, word in typed]
    found = [each for each in found if each not in _CURRENCIES] or found
    return tuple(Term(each.rjust(TRIGRAM), in_public) for each in dict.fromkeys(found) if each)[:_MOST_TERMS]


def trigrams_of(terms: Iterable[Term]) -> tuple[str, ...]:
    """Return the distinct trigrams of terms."""
    return tuple(dict.fromkeys(each for term in terms for each in term.trigrams))


def fts_query(trigrams: Iterable[str]) -> str:
    """Return the query of SQLite's text index for texts that have each of some trigrams, quoted."""
    return " AND ".join('"' + each.replace('"', '""') + '"' for each in trigrams)


def like_pattern(term: Term) -> str:
    """Return the pattern of LIKE for texts that contain a term. Its escape character is the backslash."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", term.pattern) + "%"
