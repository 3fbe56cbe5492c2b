"""Files of lists are told apart by content. Each wrong file has its answer, which never repeats a cell."""

import io
import random
import zipfile
from collections.abc import Generator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as drawn_by
from hypothesis import strategies as st
from openpyxl import Workbook

from adapters.lists.list_files import delimiter_of, line_of_csv, plain_cell, rows_in_memory, rows_of_list
from models.completeness.list_format import ListFormat
from models.completeness.listed import SheetRow
from models.errors import Refused
from tests.lists import DESTINATION, HEADS, local, workbook

SAMPLES = Path(__file__).parent / "samples"
CREATED = local(2026, 11, 24, 10, 15)
ROW = (100, CREATED, "Loans", DESTINATION)


def cells_of(path: Path, form: ListFormat = ListFormat()) -> list[list[object]]:  # noqa: B008 -- it is frozen
    return [list(row.cells) for row in rows_of_list(path, form).rows]


def refused(path: Path, form: ListFormat = ListFormat()) -> str:  # noqa: B008 -- it is frozen
    with pytest.raises(Refused) as error:
        list(rows_of_list(path, form).rows)
    return str(error.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list.xlsx"  # whatever it holds: the name does not count


def test_workbook_has_its_rows_with_their_numbers(file: Path) -> None:
    rows = list(rows_of_list(workbook(file, [("Processes",), (), HEADS, ROW]), ListFormat()).rows)
    assert rows == [
        SheetRow(0, 1, ["Processes", None, None, None]),
        SheetRow(0, 3, list(HEADS)),
        SheetRow(0, 4, list(ROW)),
    ]


def test_days_numbers_and_errors_of_a_workbook_keep_their_kind(file: Path) -> None:
    workbook(file, [(date(2026, 11, 24), 1.5, 45987.5, "1,001", "=1+1", "=NA()")])
    assert cells_of(file) == [[date(2026, 11, 24), 1.5, 45987.5, "1,001"]]


def test_formula_has_the_value_that_it_had_when_the_file_was_saved(file: Path) -> None:
    workbook(file, [("=100+1", "x")])
    with zipfile.ZipFile(file) as parts:
        content = {each: parts.read(each) for each in parts.namelist()}
    sheet = content["xl/worksheets/sheet1.xml"]
    content["xl/worksheets/sheet1.xml"] = sheet.replace(b"<v></v>", b"<v>101</v>").replace(b"<v />", b"<v>101</v>")
    with zipfile.ZipFile(file, "w") as parts:
        for name, data in content.items():
            parts.writestr(name, data)
    assert cells_of(file) == [[101.0, "x"]]


@pytest.mark.parametrize("first", ["A1", "C5"])
def test_value_of_merged_cells_counts_for_each_of_their_rows(file: Path, first: str) -> None:
    book = Workbook()
    sheet, row, column = book.active, int(first[1]), ord(first[0])
    for number, name in enumerate(("Dana", "Noa", "Tal", "Gil")):
        sheet.cell(row + number, column - 63, name)
    sheet[first] = 100
    sheet[f"{chr(column)}{row + 3}"] = 101
    sheet.merge_cells(f"{first}:{chr(column)}{row + 2}")
    book.save(file)
    assert cells_of(file) == [[100, "Dana"], [100, "Noa"], [100, "Tal"], [101, "Gil"]]


def test_merged_cells_make_no_row_of_an_empty_one_and_over_columns_count_for_the_first(file: Path) -> None:
    workbook(file, [ROW, (), (101, CREATED)], merged=["A1:A2", "B1:B2"])
    assert [row.number for row in rows_of_list(file, ListFormat()).rows] == [1, 3]
    workbook(file, [(100, None, "x")], merged=["A1:B1"])
    assert cells_of(file) == [[100, None, "x"]]


@pytest.mark.parametrize("name", ["processes.xls", "processes.ods"])
def test_other_workbooks_are_read_too(name: str) -> None:
    found = list(rows_of_list(SAMPLES / name, ListFormat()).rows)
    assert found[1] == SheetRow(0, 2, list(ROW))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("#,Created\n100,סיום\n".encode(), "csv in utf-8"),
        ("\ufeff#,Created\n100,סיום\n".encode(), "csv in utf-8"),
        ("#,Created\r\n100,סיום\r\n".encode("cp1255"), "csv in windows-1255"),
        ("#\tCreated\n100\tסיום\n".encode("utf-16"), "csv in utf-16"),
        ("#;Created\n100;סיום\n".encode(), "csv in utf-8"),
        ("#|Created\n100|סיום\n".encode(), "csv in utf-8"),
    ],
)
def test_csv_is_read_in_its_encoding_and_with_its_delimiter(file: Path, data: bytes, kind: str) -> None:
    file.write_bytes(data)
    assert cells_of(file) == [["#", "Created"], ["100", "סיום"]]
    assert rows_of_list(file, ListFormat()).kind == kind


def test_delimiter_within_quotes_does_not_count() -> None:
    assert delimiter_of('#;Name\n1;"Levi, Dana, Dr., Tel Aviv"\n2;"Levi, Noa, Dr., Haifa"\n') == ";"


def test_encoding_and_delimiter_of_the_settings_win(file: Path) -> None:
    file.write_bytes(b"a,b;c,d\n")
    assert cells_of(file, ListFormat(delimiter=";", encoding="windows-1255")) == [["a,b", "c,d"]]


def test_row_of_a_csv_has_the_number_of_its_first_line(file: Path) -> None:
    file.write_text('#,Name\n1,"Dana\nLevi"\n\n2,Noa\n')
    assert [row.number for row in rows_of_list(file, ListFormat()).rows if row.cells] == [1, 2, 5]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "BAD_LIST_SIZE: expected 1 byte to 128 MiB, got 0 bytes"),
        (b"<html><table><tr><td>100</td></tr></table>", "BAD_LIST_TYPE: expected a workbook"),
        (b"%PDF-1.7", "BAD_LIST_TYPE"),
        (b'{"processes": []}', "BAD_LIST_TYPE"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "BAD_LIST_TYPE"),
        (b"PK\x03\x04 dana.levi@example.com", "LIST_DAMAGED: the file is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 dana.levi@example.com", "LIST_DAMAGED"),
        (b'#,Name\n1,"dana.levi@example.com\n2,x\n', "BAD_CSV at row 2: expected quoted cells to be closed"),
        (b"#,Name\n" + b"," * 16_384, "LIST_TOO_LARGE: expected at most 16,384 cells in a row"),
    ],
)
def test_wrong_file_is_refused_without_its_content(
    file: Path, capfd: pytest.CaptureFixture[str], data: bytes, said: str
) -> None:
    file.write_bytes(data)
    message = refused(file)
    assert message.startswith(said)
    assert "dana" not in message + "".join(capfd.readouterr())


def test_encrypted_workbook_is_refused_as_such_and_a_zip_without_a_workbook_as_damaged(file: Path) -> None:
    assert refused(SAMPLES / "encrypted.xlsx").startswith("LIST_ENCRYPTED: the file has a password")
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("letter.txt", "hello")
    assert refused(file).startswith("LIST_DAMAGED")


def test_zip_bomb_is_refused_before_it_is_unpacked(file: Path) -> None:
    workbook(file, [HEADS, ROW])
    with (
        zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as parts,
        parts.open("xl/media/x", "w") as part,
    ):
        for _ in range(513):
            part.write(bytes(1 << 20))
    assert file.stat().st_size < 4 << 20
    assert refused(file).startswith(
        "LIST_TOO_LARGE: expected at most 512 MiB in 10,000 parts when unpacked, got 513 MiB"
    )


def test_zip_bomb_that_hides_its_size_does_not_exhaust_the_memory(file: Path) -> None:
    """The central directory says that the sheet has a kilobyte."""
    workbook(file, [HEADS, ROW])
    packed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for each in old.namelist():
            if each != "xl/worksheets/sheet1.xml":
                new.writestr(each, old.read(each))
        with new.open("xl/worksheets/sheet1.xml", "w", force_zip64=False) as part:
            part.write(b"<worksheet><sheetData><row><c><v>")
            for _ in range(400):
                part.write(b"1" * (1 << 20))
    data = bytearray(packed.getvalue())
    place = data.rindex(b"xl/worksheets/sheet1.xml") - 46 + 24
    assert int.from_bytes(data[place : place + 4], "little") > 400 << 20
    data[place : place + 4] = (1024).to_bytes(4, "little")
    file.write_bytes(data)
    assert refused(file).startswith("LIST_")


def test_cell_in_the_last_row_and_column_is_refused_by_the_limit_of_memory(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The parser would take 512 GiB for the cells in between, and its process is aborted."""
    book = Workbook()
    book.active["A1"], book.active["XFD1048576"] = "#", 1
    book.save(file)
    assert refused(file).startswith("LIST_TOO_LARGE: the file needs more than 2 GiB")
    assert capfd.readouterr() == ("", "")


def test_caller_that_wants_no_more_rows_ends_the_parser(file: Path) -> None:
    rows = rows_of_list(workbook(file, [HEADS, *[ROW] * 5000]), ListFormat()).rows
    next(rows)
    assert isinstance(rows, Generator)
    rows.close()  # a process that nobody waits for would be a warning, which is an error here
    assert list(rows) == []


@drawn_by(max_examples=15)
@given(st.integers(0, 10_000))
def test_damaged_workbook_has_rows_or_is_refused(file: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(workbook(file, [HEADS, *[ROW] * 20]).read_bytes())
    for _ in range(chance.randint(1, 30)):
        data[chance.randrange(4, len(data))] = chance.randrange(256)
    file.write_bytes(data[: chance.randrange(4, len(data))] if seed % 3 == 0 else data)
    codes = []
    try:
        assert len(list(rows_of_list(file, ListFormat()).rows)) < 2_000_000
    except Refused as error:
        codes = [error.code]
    assert codes in ([], ["LIST_DAMAGED"], ["LIST_TOO_LARGE"])


UNSEEN = [
    *("", " ", "   ", "\N{NO-BREAK SPACE}", "\ufeff", "\u200b", "\u200f", "\u2066", "\N{IDEOGRAPHIC SPACE}"),
    *("\x00", '"', "\xad"),
]
SIGNS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\u2212"]


@pytest.mark.parametrize("sign", SIGNS, ids=ascii)
@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_sign_that_a_spreadsheet_would_run_has_an_apostrophe_before_it(unseen: str, sign: str) -> None:
    for broken in ("\t", "\r", "\n", " \n "):
        assert plain_cell(f"{broken}{unseen}{sign}1+1") == f"'{broken}{unseen}'{sign}1+1"
    for separator in ("", ";", "|", "x;", "x\t", "x\n", "x\r\n", "x;y;", "x; \u200b;"):
        assert plain_cell(f"{separator}{unseen}{sign}1+1") == f"{separator}{unseen}'{sign}1+1"


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx", " \tx", "\ufeff\nx"], ids=ascii)
def test_cell_that_begins_with_a_break_begins_with_an_apostrophe(text: str) -> None:
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", " ", "a=b", "1-2", "a; b", "dana@example.com", "חוזה - 7", "a\tb", "x;", "a,=b", "'=1"]
)
def test_any_other_cell_is_unchanged(text: str) -> None:
    assert plain_cell(text) == text


def test_line_of_csv_is_read_back_as_plain_cells() -> None:
    line = line_of_csv(["=1+1", "a;=1", None, 7, -7, 'x "y", z', "\n@a"])
    [read] = rows_in_memory(line.encode(), "utf-8", ",")

    assert read.cells == ["'=1+1", "a;'=1", "", "7", "-7", 'x "y", z', "'\n'@a"]


def test_long_cell_of_separators_takes_no_long_time() -> None:
    """A pattern that tried each place anew would take minutes."""
    assert plain_cell("\t;\t" * 1_000_000 + "x").startswith("'\t")
