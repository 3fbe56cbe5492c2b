"""Reads a provider's settlement report: CSV in the format that the installation describes in a file."""

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from domain.payments.amounts import exponent_of, minor_units
from domain.payments.identity import plain_authorisation
from models.completeness.listed import SheetRow
from models.errors import Code, Refused
from models.settlements.report_format import ReportColumns, ReportFormat
from models.settlements.settlement import Entry, EntryKind

Fingerprint = Callable[[str], str]

_HEAD_WITHIN_LINES = 50
_MOST_HEADS, _LONGEST_HEAD = 100, 200
# Direction marks of Hebrew text, and the byte order mark.
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_CURRENCY_SIGNS = "₪$€£ "
_MOST_DIGITS = 20
_SUMS = {"amount", "fee"}
_OF_ONE_PAYMENT = ("settled_on", "cguid", "authorisation", "card")
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    *("ינו", "פבר", "מרץ", "מרס", "אפר", "מאי", "יונ", "יול", "אוג", "ספט", "אוק", "נוב", "דצמ"),
)
_NO_INSTALMENT = re.compile(rf"\d+(?:-|\.(?!0*$)|/\d+/|\s*ב?(?:{'|'.join(_MONTHS)}))", re.ASCII | re.IGNORECASE)
"""A day or a fraction, into which a spreadsheet turns `1/3`. Read as an instalment, it would hide discrepancies."""
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
"""A day outside these years is a typing error, or a spreadsheet's way to write no day."""


def entries_of(rows: Iterable[SheetRow], form: ReportFormat, fingerprint: Fingerprint) -> Iterator[Entry]:
    """Return the entries of a report. Values that match them to payments become fingerprints and are not kept in clear.

    Skips blank lines, lines of sums, and everything above the heads of the columns.

    Raises:
        Refused: the report does not have the described format. The error names the line, the column and what was
            expected there. It never repeats a value.
    """
    lines = _lines(rows)
    places, width = _places(lines, form.columns)
    reader = _Reader(form, fingerprint)
    seen: Counter[bytes] = Counter()
    for number, cells in lines:
        line = _line(number, cells, places, form.columns)
        if line and not _is_sum(line, cells, form.totals):
            if any(cells[width:]):
                raise Refused("BAD_LINE", f"expected {width} cells, one for each head", where=f"line {number}")
            said = reader.said(line)
            digest = hashlib.sha256(json.dumps(said, default=str).encode()).digest()
            entry_id = hashlib.sha256(digest + seen[digest].to_bytes(8, "big")).hexdigest()[:32]
            yield Entry(entry_id=entry_id, line=number, **said)
            seen[digest] += 1


def _lines(rows: Iterable[SheetRow]) -> Iterator[tuple[int, list[str]]]:
    """Return the number and the cells of each row that is not blank. A cell with line breaks spans several lines."""
    for row in rows:
        cells = [_plain(str(cell)) for cell in row.cells]
        if any(cells):
            yield row.number, cells


def _plain(cell: str) -> str:
    """Return the text of a cell. Numbers that a spreadsheet must not change are written as `="0123456"`."""
    plain = cell.translate(_INVISIBLE).replace("\xa0", " ").strip() if not cell.isascii() else cell.strip()
    return plain[2:-1].strip() if plain.startswith('="') and plain.endswith('"') else plain


def _places(lines: Iterator[tuple[int, list[str]]], columns: ReportColumns) -> tuple[dict[str, int], int]:
    """Return the place of each of our columns, and the number of columns, from the first line with all heads."""
    heads = {name: _plain(head) for name, head in asdict(columns).items() if head is not None}
    missing = set(heads.values())
    for number, cells in lines:
        if number > _HEAD_WITHIN_LINES:
            break
        here = [head for head in heads.values() if head not in cells]
        if not here:
            twice = next((head for head in heads.values() if cells.count(head) > 1), None)
            if twice:
                raise Refused("AMBIGUOUS_COLUMN", "expected one such column", where=f"line {number}, column {twice}")
            return {name: cells.index(head) for name, head in heads.items()}, len(cells)
        missing = min(missing, set(here), key=len)
    raise Refused(
        "MISSING_COLUMN",
        f"expected the heads of all columns in one line, up to line {_HEAD_WITHIN_LINES}",
        where=f"column {min(missing)}",
    )


def likely_heads(rows: Iterable[SheetRow]) -> list[str]:
    """Return what the columns of an unknown report are called: the first of the fullest lines where heads may stand.

    Raises Refused if there is none.
    """
    first = takewhile(lambda row: row.number <= _HEAD_WITHIN_LINES, rows)
    fullest = max((cells for _, cells in _lines(first)), key=lambda cells: sum(map(bool, cells)), default=[])
    heads = [each for each in dict.fromkeys(fullest) if 0 < len(each) <= _LONGEST_HEAD][:_MOST_HEADS]
    if not heads:
        raise Refused("MISSING_COLUMN", f"expected heads of columns, up to line {_HEAD_WITHIN_LINES}")
    return heads


@dataclass(frozen=True, slots=True)
class _Line:
    """The cells of a line by the names of our columns. An absent cell is blank."""

    number: int
    cells: Mapping[str, str]
    columns: ReportColumns

    def __getitem__(self, name: str) -> str:
        return self.cells.get(name, "")

    def wrong(self, name: str, expected: str) -> Refused:
        head = getattr(self.columns, name)
        return Refused("BAD_CELL", f"expected {expected}", where=f"line {self.number}, column {head}")


def _line(number: int, cells: list[str], places: Mapping[str, int], columns: ReportColumns) -> _Line | None:
    found = {name: cells[place] for name, place in places.items() if place < len(cells)}
    return _Line(number, found, columns) if any(found.values()) else None


def _is_sum(line: _Line, cells: list[str], totals: tuple[str, ...]) -> bool:
    """Return whether a line is a line of sums: it has only amounts, or it begins like a sum and has neither a payout
    nor a value that matches it to a payment. A merchant's name may begin like a sum too.
    """

    def _begins(cell: str) -> bool:
        return any(cell.casefold().startswith(total.casefold()) for total in totals)

    if not any(line[name] for name in line.cells.keys() - _SUMS):
        return True
    of_one = [line[name] for name in _OF_ONE_PAYMENT if line[name]]
    return _begins(next(cell for cell in cells if cell)) and all(_begins(cell) for cell in of_one)


class _Reader:
    """A reader of the cells of one report. Days repeat from line to line, so each is parsed once."""

    def __init__(self, form: ReportFormat, fingerprint: Fingerprint) -> None:
        self._form, self._fingerprint = form, fingerprint
        self._days: dict[str, date] = {}
        self._kinds = {said.casefold(): kind for kind in EntryKind for said in getattr(form.kinds, kind.value)}
        self._reversals = {said.casefold() for said in form.kinds.reversal}
        point, mark = re.escape(form.decimal_separator), re.escape(form.thousands_separator)
        grouped = rf"\d{{1,3}}(?:{mark}\d{{3}})+|" if mark else ""
        self._number = re.compile(rf"((?:{grouped}\d+)(?:{point}\d*)?|{point}\d+)", re.ASCII)

    def said(self, line: _Line) -> dict[str, Any]:
        """Return all members of an entry except its id and its line."""
        currency = self._currency(line)
        signed_minor = self._minor(line, "amount", currency)
        if signed_minor is None:
            raise line.wrong("amount", "an amount")
        is_reversal = line["kind"].casefold() in self._reversals
        fee_minor = self._minor(line, "fee", currency)
        instalment, instalments = _instalment(line)
        return {
            "kind": EntryKind.CHARGEBACK if is_reversal else self._kind(line, is_negative=signed_minor < 0),
            "settled_on": self._day(line, "settled_on") or self._no_day(line),
            "paid_on": self._day(line, "paid_on"),
            "amount_minor": -abs(signed_minor) if is_reversal else abs(signed_minor),
            "fee_minor": fee_minor,
            "currency": currency,
            "cguid_fingerprint": self._sealed(line["cguid"]),
            "authorisation_fingerprint": self._sealed(plain_authorisation(line["authorisation"])),
            "card_last4": _last4(line),
            "instalment": instalment,
            "instalments": instalments,
        }

    def _sealed(self, cell: str) -> str | None:
        return self._fingerprint(cell) if cell else None

    def _currency(self, line: _Line) -> str:
        said = line["currency"]
        currency = self._form.currencies.get(said, said) if said else self._form.currency
        if currency is None or exponent_of(currency) is None:
            raise line.wrong("currency", "an ISO 4217 currency, or a sign from the table `currencies`")
        return currency

    def _kind(self, line: _Line, *, is_negative: bool) -> EntryKind:
        kind = self._kinds.get(line["kind"].casefold()) if line["kind"] else EntryKind.CHARGE
        if kind is None:
            raise line.wrong("kind", "a word from the table `kinds`")
        if is_negative and kind is EntryKind.CHARGE:
            if not self._form.negative_is_refund:
                raise line.wrong("amount", "an amount that is not negative for a charge")
            return EntryKind.REFUND
        return kind

    def _day(self, line: _Line, name: str) -> date | None:
        text = line[name]
        if text and text not in self._days:
            self._days[text] = self._parsed_day(line, name, text)
        return self._days[text] if text else None

    def _parsed_day(self, line: _Line, name: str, text: str) -> date:
        for form in self._form.date_formats:
            try:
                day = datetime.strptime(text, form).date()  # noqa: DTZ007 -- a day has no zone
            except ValueError:
                continue
            if _FIRST_YEAR <= day.year <= _LAST_YEAR:
                return day
        within = f"from {_FIRST_YEAR} to {_LAST_YEAR}"
        raise line.wrong(name, f"a day like {' or '.join(self._form.date_formats)}, {within}")

    def _no_day(self, line: _Line) -> date:
        raise line.wrong("settled_on", "a day")

    def _minor(self, line: _Line, name: str, currency: str) -> int | None:
        """Return an amount in minor units with its sign, or None if the cell is blank."""
        text = line[name].replace("\N{MINUS SIGN}", "-").strip(_CURRENCY_SIGNS)
        if not text:
            return None
        in_brackets = text.startswith("(") and text.endswith(")")
        digits = (text[1:-1] if in_brackets else text.removeprefix("-").removesuffix("-")).strip(_CURRENCY_SIGNS)
        number = self._number.fullmatch(digits)
        if number is None or len(digits) > _MOST_DIGITS or text.count("-") > 1:
            raise line.wrong(name, f"amounts like 1{self._form.thousands_separator}234{self._form.decimal_separator}50")
        plain = digits.replace(self._form.thousands_separator, "") if self._form.thousands_separator else digits
        exponent = exponent_of(currency) or 0
        minor = minor_units(Decimal(plain.replace(self._form.decimal_separator, ".")), exponent, self._form.amount_unit)
        if minor is None:
            raise line.wrong(name, f"an amount in whole minor units of {currency}, within 64 bits")
        return -minor if in_brackets or "-" in text else minor


def _last4(line: _Line) -> str | None:
    """Return the last four digits of a card number or mask. A spreadsheet may have dropped their leading zeros."""
    text = line["card"]
    if not text:
        return None
    digits = text.zfill(4)[-4:]
    if not (digits.isascii() and digits.isdigit()):
        raise line.wrong("card", "a card number or mask that ends in four digits")
    return digits


def _instalment(line: _Line) -> tuple[int | None, int | None]:
    """Return the number of an instalment and their count: `3/12` and `3 of 12` are the third of twelve."""
    text = line["instalment"]
    found = re.match(r"(\d{1,4})(?!\d)(?:\D+(\d{1,4})\D*$)?", text, re.ASCII)
    if text and (found is None or _NO_INSTALMENT.match(text)):
        raise line.wrong("instalment", "the number of an instalment like 3 or 3/12, not a day")
    if found is None:
        return None, None
    number, count = int(found[1]), int(found[2] or 0)
    return number, count if count >= max(number, 1) else None


_CODE: Code = "BAD_SETTLEMENT_COLUMNS"
_FORMAT = TypeAdapter(ReportFormat)
Format = TypeVar("Format")


def read_format(text: str) -> ReportFormat:
    """Return the report format that a TOML text describes.

    Raises:
        Refused: the text is not TOML, lacks a required name, has an unknown name, or contradicts itself.

    Source: docs/settlement.md.
    """
    return _checked(read_described(_FORMAT, text, _CODE))


def mapped_format(columns: Mapping[str, str], currency: str) -> ReportFormat:
    """Return the format of reports whose columns a person has chosen: the head of each by the names of our columns.

    Raises Refused if a required column is missing, or rows could not be matched by these.
    """
    mapped = {"columns": columns, "currency": currency or None, "currencies": {"₪": "ILS"}, "delimiter": None}
    return _checked(_validated(_FORMAT, mapped, _CODE))


def _checked(described: ReportFormat) -> ReportFormat:
    columns = described.columns
    if not (columns.cguid or (columns.authorisation and columns.card and columns.paid_on)):
        raise _wrong("expected cguid, or authorisation, card and paid_on: rows are matched by these", "columns")
    if not (columns.currency or described.currency):
        raise _wrong("expected a column for the currency, or `currency` for all rows", "currency")
    if described.decimal_separator == described.thousands_separator:
        raise _wrong("expected a separator other than decimal_separator", "thousands_separator")
    # Such a word would count for the last kind only.
    if twice := word_of_two([word.casefold() for word in words] for words in asdict(described.kinds).values()):
        raise _wrong(f"expected each word to stand for one kind of row, but {twice!r} stands for two", "kinds")
    return described


def read_described(format_of: TypeAdapter[Format], text: str, code: Code) -> Format:
    """Return the format that a TOML text describes.

    Raises Refused with `code` if the text is not TOML, lacks a required name, or has an unknown name.
    """
    try:
        return _validated(format_of, tomllib.loads(text), code)
    except tomllib.TOMLDecodeError as error:
        raise Refused(code, f"expected TOML: {error}", where="") from error


def _validated(format_of: TypeAdapter[Format], described: Mapping[str, Any], code: Code) -> Format:
    try:
        return format_of.validate_python(described)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(code, first["msg"], where=".".join(map(str, first["loc"]))) from error


def word_of_two(meanings: Iterable[Iterable[str]]) -> str | None:
    """Return a word that has two meanings, or None. Each of `meanings` is the words that have it."""
    counts = Counter(word for words in meanings for word in set(words))
    return next((word for word, count in counts.items() if count > 1), None)


def _wrong(expected: str, where: str = "") -> Refused:
    return Refused(_CODE, expected, where=where)
