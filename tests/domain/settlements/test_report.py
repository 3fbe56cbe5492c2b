"""Reads settlement reports in their formats, and keeps them without card numbers."""

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lists.list_files import CODECS, encoding_of
from adapters.lists.workbook_child import rows_of_text
from domain.settlements.report import entries_of, read_format
from models.completeness.listed import SheetRow
from models.discrepancies import SETTLEMENT_CODES
from models.errors import Refused
from models.settlements.report_format import ReportColumns, ReportFormat
from models.settlements.settlement import Entry, EntryKind
from tests.domain.settled import COLUMNS, HEAD


def sealed(text: str) -> str:
    return f"<{text}>"


def read(text: str, form: str = COLUMNS) -> list[Entry]:
    described = read_format(form)
    return list(entries_of(rows_of(text.encode(), described.delimiter or ","), described, sealed))


def rows_of(data: bytes, delimiter: str = ",") -> Iterator[SheetRow]:
    """Yield the rows of a report as their process reads them."""
    encoding = encoding_of(io.BytesIO(data), None)
    text = data.decode(CODECS[encoding]) if encoding else ""
    for number, cells in rows_of_text(io.StringIO(text, newline=""), delimiter):
        yield SheetRow(0, number, list(cells or []))


def row(**cells: str) -> str:
    made = {"settled": "2026-01-03", "paid": "2026-01-01", "amount": "21.00", "currency": "ILS", "cguid": "c"}
    return ",".join((made | cells).get(head, "") for head in HEAD.split(","))


def one(form: str = COLUMNS, **cells: str) -> Entry:
    (entry,) = read(f"{HEAD}\n{row(**cells)}\n", form)
    return entry


def test_all_columns_are_read() -> None:
    entry = one(auth="0123456", card="458012******0042", fee="0.42", kind="Chargeback", part="2/12")

    assert entry == Entry(
        entry_id=entry.entry_id,
        line=2,
        kind=EntryKind.CHARGEBACK,
        settled_on=date(2026, 1, 3),
        paid_on=date(2026, 1, 1),
        amount_minor=2100,
        fee_minor=42,
        currency="ILS",
        cguid_fingerprint="<c>",
        authorisation_fingerprint="<123456>",
        card_last4="0042",
        instalment=2,
        instalments=12,
    )


def test_empty_cells_are_none() -> None:
    entry = one(paid="", cguid="")

    assert (entry.paid_on, entry.fee_minor, entry.cguid_fingerprint, entry.card_last4, entry.instalment) == (None,) * 5


AUTHORISATIONS = ("0123456", "123456", " 0123 456 ", '="0123456"', '"=""0123456"""')
NEGATIVES = ("-21.00", "21.00-", "(21.00)", "−21.00", "-₪21.00", "\u200e-21.00")
CELLS: list[tuple[dict[str, str], dict[str, Any]]] = [
    *(({"settled": day}, {"settled_on": date.fromisoformat(day)}) for day in ("2000-01-01", "2100-12-31")),
    ({"currency": "JPY", "amount": "21"}, {"amount_minor": 21}),
    ({"currency": "KWD", "amount": "2.100"}, {"amount_minor": 2100}),
    *(({"amount": text}, {"kind": EntryKind.REFUND, "amount_minor": 2100}) for text in NEGATIVES),
    *(({"fee": text}, {"fee_minor": fee}) for text, fee in (("0.42", 42), ("-0.42", -42), ("(0.42)", -42), ("0", 0))),
    *(({"auth": text}, {"authorisation_fingerprint": "<123456>"}) for text in AUTHORISATIONS),
    ({"cguid": '="012"', "part": '=""'}, {"cguid_fingerprint": "<012>", "instalment": None}),
    ({"card": '="0042"', "paid": '="2026-01-01"'}, {"card_last4": "0042", "paid_on": date(2026, 1, 1)}),
    *(({"card": text}, {"card_last4": text[-4:].zfill(4)}) for text in ("1234", "42", "XXXX-XXXX-XXXX-1234")),
    *(({"part": text}, {"instalment": 3, "instalments": 12}) for text in ("3/12", "3 מתוך 12", "3 of 12 parts")),
    *(({"part": text}, {"instalment": 3, "instalments": None}) for text in ("3", "3/2", "3.0")),
    *(({"part": text}, {"instalment": 1, "instalments": None}) for text in ("1 01/02/2026", "1/12345")),
    ({"part": "1/1"}, {"instalment": 1, "instalments": 1}),
    ({"part": "0/0"}, {"instalment": 0, "instalments": None}),
]


@pytest.mark.parametrize(("cells", "expected"), CELLS)
def test_cell_is_read_in_any_notation(cells: dict[str, str], expected: dict[str, Any]) -> None:
    entry = one(**cells)

    assert {name: getattr(entry, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "form", "amount_minor"),
    [
        ("21.", "", 2100),
        (".5", "", 50),
        ('"1,234,567.89"', "", 123456789),
        ("21.00\u200f ₪", "", 2100),
        ('"1.234,56"', 'decimal_separator = ","\nthousands_separator = "."', 123456),
        ("1\xa0234.56", 'thousands_separator = " "', 123456),
        ("2100.0", 'amount_unit = "minor"', 2100),
        ("92233720368547758.07", "", (1 << 63) - 1),
    ],
)
def test_amount_is_read_exactly(text: str, form: str, amount_minor: int) -> None:
    assert one(f"{form}\n{COLUMNS}", amount=text).amount_minor == amount_minor


@pytest.mark.parametrize("amount", ["21.00", "-21.00"])
@pytest.mark.parametrize(
    ("word", "kind", "amount_minor"),
    [
        ("refund", EntryKind.REFUND, 2100),
        ("chargeback", EntryKind.CHARGEBACK, 2100),
        ("Reversal", EntryKind.CHARGEBACK, -2100),
    ],
)
def test_kind_word_decides_the_direction_whatever_the_sign(
    amount: str, word: str, kind: EntryKind, amount_minor: int
) -> None:
    entry = one(amount=amount, kind=word)

    assert (entry.kind, entry.amount_minor) == (kind, amount_minor)


@pytest.mark.parametrize(
    "line",
    ["", ",,,,,,,,,", "Total,,42.00,,,,,,,", 'סה"כ לתשלום,,42.00,,,,,,,', ",,42.00,,,,,0.84,,"],
)
def test_blank_lines_and_totals_are_skipped(line: str) -> None:
    assert [each.line for each in read(f"{HEAD}\n{row()}\n{line}\n{row()}\n")] == [2, 4]


MERCHANTS = """
currency = "ILS"
[columns]
settled_on = "settled"
amount = "amount"
cguid = "cguid"
authorisation = "auth"
card = "card"
"""


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("Total Fitness,2026-01-03,21.00,c,,", "row"),
        ("Total,2026-01-03,21.00,,,", "row"),
        ("Total Fitness,,21.00,c,,", "refused"),
        ("Total Fitness,,21.00,,0123456,", "refused"),
        ("Total Fitness,,21.00,,,****1234", "refused"),
        ("Haifa,,21.00,c,,", "refused"),
        ("Total Fitness,,21.00,,,", "sum"),
        (",Total,21.00,,,", "sum"),
    ],
)
def test_line_that_begins_like_a_total_but_names_a_payment_is_an_entry(line: str, outcome: str) -> None:
    text = f"merchant,settled,amount,cguid,auth,card\n{line}\n"

    if outcome == "refused":
        with pytest.raises(Refused, match="BAD_CELL at line 2, column settled"):
            read(text, MERCHANTS)
    else:
        assert len(read(text, MERCHANTS)) == (outcome == "row")


WRONG_CELLS = {
    "settled": ("", "4580000011112222", "31/02/2026", "9999-12-31"),
    "paid": ("yesterday", "1999-12-31", "2101-01-01"),
    "amount": (
        *("", "4580000011112222x", '"7,89"', "1.234.56", "21.001", "1e3", "--21", "٢١"),
        *("92233720368547758.08", "9" * 5000),
    ),
    "currency": ("", "NIS"),
    "card": ("4580-xxxx",),
    "fee": ("free",),
    "kind": ("4580000011112222",),
    "part": ("third", "03-Jan", "3 Jan", "3 בינואר", "2026-03-01", "01/03/2026", "3.7"),
}


@pytest.mark.parametrize(("column", "cell"), [(name, cell) for name, cells in WRONG_CELLS.items() for cell in cells])
def test_refusal_names_a_wrong_cell_without_repeating_it(column: str, cell: str) -> None:
    with pytest.raises(Refused) as refused:
        read(f"{HEAD}\n{row()}\n{row(**{column: cell})}\n")

    assert (refused.value.code, refused.value.where) == ("BAD_CELL", f"line 3, column {column}")
    assert len(cell) < 3 or cell.strip('"') not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (f"{HEAD}\n{row()},more\n", "BAD_LINE", "line 2"),
        (HEAD.replace("cguid", "guid"), "MISSING_COLUMN", "column cguid"),
        (f"{HEAD},card\n", "AMBIGUOUS_COLUMN", "line 1, column card"),
        ("", "MISSING_COLUMN", "column amount"),
    ],
)
def test_malformed_report_is_refused(text: str, code: str, where: str) -> None:
    with pytest.raises(Refused) as refused:
        read(text)

    assert (refused.value.code, refused.value.where) == (code, where)


def test_cell_with_a_line_break_counts_as_two_lines() -> None:
    (first, second) = read(f"{HEAD}\n{row(cguid=chr(34) + 'a' + chr(10) + 'b' + chr(34))}\n{row()}\n")

    assert (first.line, second.line) == (2, 4)


def test_configured_delimiter_is_used() -> None:
    assert len(read(f"{HEAD}\n{row()}\n".replace(",", ";"), f'delimiter = ";"\n{COLUMNS}')) == 1


amounts = st.decimals(min_value=0, max_value=10**12, places=2)


@given(amounts, st.sampled_from([",", ".", " ", "'", ""]), st.sampled_from([".", ","]))
def test_amount_is_the_same_with_any_separators(amount: Decimal, mark: str, point: str) -> None:
    if mark == point:
        mark = ""
    text = f"{amount:,.2f}".replace(",", "\0").replace(".", point).replace("\0", mark)
    form = f'decimal_separator = "{point}"\nthousands_separator = "{mark}"\n{COLUMNS}'

    assert one(form, amount=f'"{text}"').amount_minor == int(amount * 100)


@given(st.permutations([row(), row(), row(amount="1.00"), row(cguid="d"), row(cguid="d", amount="1.00")]))
def test_equal_rows_have_ids_of_their_own_that_do_not_depend_on_row_order(rows: list[str]) -> None:
    def ids(these: list[str]) -> set[str]:
        return {each.entry_id for each in read("\n".join([HEAD, *these]))}

    assert len(ids(rows)) == len(rows)
    assert ids(rows) == ids(sorted(rows))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    form = read_format(COLUMNS)
    head = HEAD.encode()
    for report in (data, head + b"\n" + data, head + b"\n" + row().encode() + data):
        with suppress(Refused):
            assert all(each.amount_minor >= 0 for each in entries_of(rows_of(report), form, sealed))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("columns = ", ""),
        ("[columns]\namount = 'a'\ncguid = 'c'", "columns.settled_on"),
        (f"late = 3\n{COLUMNS}", "late"),
        (f"encoding = 'utf-16'\n{COLUMNS}", "encoding"),
        (f"delimiter = ';;'\n{COLUMNS}", "delimiter"),
        (f"date_formats = []\n{COLUMNS}", "date_formats"),
        (f"thousands_separator = '.'\n{COLUMNS}", "thousands_separator"),
        (f"fee_tolerance_minor = -1\n{COLUMNS}", "fee_tolerance_minor"),
        (f"fee_tolerance_minor = 1.5\n{COLUMNS}", "fee_tolerance_minor"),
        ("currency = 'ILS'\n[columns]\namount = 'a'\nsettled_on = 's'\nauthorisation = 'n'\ncard = 'k'", "columns"),
        ("[columns]\namount = 'a'\nsettled_on = 's'\ncguid = 'c'", "currency"),
        (f"{COLUMNS}[kinds]\ncharge = ['credit']\nrefund = ['Credit']", "kinds"),
        (f"{COLUMNS}[kinds]\nchargeback = ['Reversal']", "kinds"),
    ],
)
def test_refusal_of_a_wrong_form_names_its_place(text: str, where: str) -> None:
    with pytest.raises(Refused) as refused:
        read_format(text)

    assert (refused.value.code, refused.value.where) == ("BAD_SETTLEMENT_COLUMNS", where)


def test_minimal_form_has_the_defaults() -> None:
    text = "currency = 'ILS'\n[columns]\namount = 'a'\nsettled_on = 's'\ncguid = 'c'"

    columns: dict[str, Any] = {"amount": "a", "settled_on": "s", "cguid": "c"}
    form = read_format(text)
    assert form == ReportFormat(columns=columns, currency="ILS")  # type: ignore[arg-type]
    assert (form.terms.fee_tolerance_minor, form.terms.late_after_days) == (0, 7)
    twice = read_format(f"{text}\n[kinds]\nrefund = ['credit', 'Credit']")  # one word for one kind
    assert twice.kinds.refund == ("credit", "Credit")


DOCUMENT = (Path(__file__).parents[3] / "docs" / "settlement.md").read_text()


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found
    return found[1]


def test_example_is_read_in_both_encodings() -> None:
    form = read_format(block("toml"))
    for encoding in ("utf-8-sig", "windows-1255"):
        entries = list(entries_of(rows_of(block("csv").encode(encoding)), form, str.upper))
        assert [(each.kind, each.amount_minor, each.fee_minor, each.instalment) for each in entries] == [
            (EntryKind.CHARGE, 2100, 15, None),
            (EntryKind.CHARGE, 120000, 840, 1),
            (EntryKind.REFUND, 500, None, None),
        ]


def test_page_names_every_part_of_the_form_and_every_code() -> None:
    parts = {each.name for each in fields(ReportFormat)} - {"columns"}

    assert set(re.findall(r"^\| `([a-z_.]+)` \|", DOCUMENT, re.MULTILINE)) == parts | {
        f"columns.{each.name}" for each in fields(ReportColumns)
    }
    assert {code for code in SETTLEMENT_CODES if f"`{code}`" not in DOCUMENT} == set()
