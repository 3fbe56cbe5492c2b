"""Reports of settlements and lists of Cellosign are taken in from files, after a look at what they would bring."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import httpx
import pytest
from sqlmodel import col, delete, select, true

from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.store.settlement_reports import keep, staged
from adapters.tables import settlements
from api.console.frame.rendering import archive_url
from models.completeness.processes import MissingProcessRow
from models.discrepancies import SETTLEMENT_CODES, DiscrepancyEventRow, DiscrepancyRow
from models.payments import PaymentRow
from models.settlements.settlement import SettlementEntryRow, SettlementReportRow
from tests.api.conftest import started
from tests.api.console.conftest import Browser, Console, csrf_of, posted
from tests.api.senders import peak_bytes
from tests.installations import installed
from tests.lists import DESTINATION, HEADS, local, workbook
from tests.records import all_of, change
from tests.settlements import FORM, NOW, everything, line, paid, report

REPORTS, LIST = "/console/payments/reports", "/console/missing/list"
FIRST = report(line("c1"), line("other", amount="20.00", card="1234"), line("nobody", paid="2025-06-01", amount="3.00"))
BOTH = report(line("c1")), report(line("other", amount="21.00", card="1234"))


@pytest.fixture
def office(troubled: Console) -> Iterator[Console]:
    """The console, two payments, and nothing of any report afterwards."""
    with installed(troubled.folder, **troubled.settings):
        paid("right", "c1")
        paid("near/1", "c2")
        yield troubled
        for key, _ in list(store().listed("settlements")):
            store().remove(key)
        of_reports = select(DiscrepancyRow.discrepancy_id).where(col(DiscrepancyRow.code).in_(sorted(SETTLEMENT_CODES)))
        for table, its in (
            (DiscrepancyEventRow, col(DiscrepancyEventRow.discrepancy_id).in_(of_reports)),
            (DiscrepancyRow, col(DiscrepancyRow.code).in_(sorted(SETTLEMENT_CODES))),
            (PaymentRow, col(PaymentRow.reference).in_(["right", "near/1"])),
            (MissingProcessRow, col(MissingProcessRow.process_number) > 9000),
            (SettlementEntryRow, true()),
            (SettlementReportRow, true()),
        ):
            change(delete(table).where(its))


def previewed(client: httpx.Client, path: str, *files: bytes, **form: str) -> dict[str, str]:
    """Preview files, and return the form that takes them in."""
    page = posted(client, path, form, *files)
    assert page.status_code == 200, page.text
    shown = re.search(r'name="shown" value="(\w+)"', page.text)
    assert shown
    return {**form, "shown": shown[1]}


def test_preview_changes_nothing_and_exactly_its_files_are_taken_in(office: Console) -> None:
    with office.person() as person, office.person() as other:
        before = everything()
        second = previewed(person, REPORTS, *BOTH)
        page = posted(person, REPORTS, {}, *BOTH).text
        assert everything() == before
        for files in (BOTH[:1], BOTH[::-1], (FIRST,)):
            assert posted(person, REPORTS, second, *files).status_code == 422
        assert everything() == before

        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(lambda who: posted(who, REPORTS, second, *BOTH), (person, other)))

        assert {each.status_code for each in answers} == {303}
        assert len(all_of(select(SettlementReportRow))) == 2
        assert {each.is_judged for each in all_of(select(SettlementReportRow))} == {True}
        assert "Without a payment</dt><dd>1<" in page
        with staged(FIRST, FORM) as begun, writing() as session:  # as a process leaves it that is killed now
            keep(begun, NOW)
            row = SettlementReportRow(report_id=begun.report_id, imported_at=datetime.now(UTC), entries=begun.entries)
            settlements.begin_report(session, row)
        assert "0 of 3 rows" in person.get(REPORTS).text
        again = previewed(person, REPORTS, *BOTH)
        assert posted(person, REPORTS, again, *BOTH).status_code == 303
        assert [each.is_judged for each in all_of(select(SettlementReportRow))] == [True] * 3
        assert "0 of 3 rows" not in person.get(REPORTS).text
        known = report(line("other", amount="21.00", card="1234"), line("c1"))
        taken = posted(person, REPORTS, previewed(person, REPORTS, known), known)
        assert "Each row that no earlier report had has its payment." in person.get(taken.headers["location"]).text
        assert person.get(f"{REPORTS}?report={'0' * 64}").status_code == 404


def test_last_report_shows_its_unmatched_rows_beside_the_nearest_payments(office: Console, browser: Browser) -> None:
    """In both languages; a person chooses the file once."""
    for language in ("en", "he"):
        page = browser.open(REPORTS, language)
        page.locator("main details").evaluate("each => each.open = true")
        page.set_input_files("#file", {"name": "../דוח.csv", "mimeType": "text/csv", "buffer": FIRST})
        page.locator("main form button").first.click()
        page.locator("#preview").wait_for()
        assert browser.violations() == []
        page.locator("main form button[name=shown]").click()
        rows = page.locator("#unmatched tbody tr")
        rows.first.wait_for(timeout=10_000)
        assert browser.violations() == []
    assert rows.count() == 2
    assert rows.first.locator("a").get_attribute("href") == archive_url("near/1")
    assert "סכום אחר" in rows.first.inner_text()
    assert rows.last.locator("a").count() == 0


HALF = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
OF_X = {"content-type": "multipart/form-data; boundary=x", "sec-fetch-site": "same-origin"}


def test_wrong_upload_is_refused_on_the_page_and_changes_nothing(office: Console, tmp_path: Path) -> None:
    """Millions of cells in a row cost the receiver no memory beside the bytes of the upload."""
    sheet, commas, pid = (
        workbook(tmp_path / "x.xlsx", [HEADS]).read_bytes(),
        b"," * 7_000_000,
        office.receiver.process.pid,
    )
    bomb = BytesIO()
    with ZipFile(bomb, "w", ZIP_DEFLATED) as parts, parts.open("xl/worksheets/sheet1.xml", "w") as cells:
        for _ in range(520):
            cells.write(bytes(1 << 20))
    with office.person() as person:
        before = everything(), all_of(select(MissingProcessRow))
        for _ in range(2):  # what parsing an upload takes for its bytes
            posted(person, LIST, {}, b"x" * len(commas))
        before_bytes = peak_bytes(pid)
        wrong: list[tuple[str, tuple[bytes, ...], int, str]] = [
            (LIST, (commas,), 422, "LIST_TOO_LARGE"),
            (REPORTS, (commas,), 422, "LIST_TOO_LARGE"),
            (REPORTS, (b"",), 422, "Choose a file that is not empty."),
            (REPORTS, (sheet,), 422, "BAD_ENCODING"),
            (REPORTS, (FIRST + b'"c1',), 422, "BAD_CSV"),
            (REPORTS, (FIRST, report(line("c1", amount="x"))), 422, "file 2, line 2, column amount"),
            (LIST, (sheet[:-200],), 422, "LIST_DAMAGED"),
            (LIST, (b"<html>",), 422, "BAD_LIST_TYPE"),
            (LIST, (sheet, sheet), 422, "Choose one file"),
            (LIST, (bomb.getvalue(),), 422, "LIST_TOO_LARGE"),
            (REPORTS, (bytes(9 << 20),), 413, "TOO_LARGE"),
        ]
        for path, files, status, text in wrong:
            answer = posted(person, path, {}, *files)
            assert (answer.status_code, text in answer.text) == (status, True), answer.text
            assert files != (commas,) or peak_bytes(pid) - before_bytes < 25_000_000
        csrf = csrf_of(person).encode()
        token = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n%s\r\n' % csrf
        whole, cut = HALF + FIRST + b"\r\n" + token + b"--x--\r\n", token + HALF + FIRST
        for body, status in (
            (whole, 200), (whole.replace(csrf, b"x"), 403), (whole[:-9], 403), (HALF, 403), (cut, 422), (b"x" * 9, 422),
        ):  # fmt: skip
            assert person.post(REPORTS, content=body, headers=OF_X).status_code == status
        odd = {"content-type": f"{OF_X['content-type']}; charset=undefined"}
        assert person.post(REPORTS, content=whole, headers=OF_X | odd).status_code == 422
        assert posted(person, REPORTS, {}).status_code == 422  # a form without files
        assert (everything(), all_of(select(MissingProcessRow))) == before
        assert [*Path(store().spool_folder).glob("*")] == []


def test_list_of_cellosign_is_recorded_after_it_was_shown(office: Console, browser: Browser, tmp_path: Path) -> None:
    rows = [(number, local(2026, 1, 1, 9), "Loans", DESTINATION) for number in (9001, 9002)]
    sheet = workbook(tmp_path / "x.xlsx", [HEADS, *rows, ("12a", local(2026, 1, 1, 9), "Loans", DESTINATION)])
    for language in ("en", "he"):
        page = browser.open(LIST, language)
        page.set_input_files("#file", sheet)
        page.locator("main form button").first.click()
        page.locator("#compared").wait_for()
        assert "9001" in page.locator("#compared").inner_text()
        assert browser.violations() == []
    assert [each for each in all_of(select(MissingProcessRow)) if (each.process_number or 0) > 9000] == []
    page.locator("main form button[name=shown]").click()
    browser.follow(page.locator("#compared a.btn"))

    assert page.locator("main td", has_text="9001").count() == 1
    assert DESTINATION not in page.content()


UNKNOWN = 'דוח סליקה;;;;\n\nזיכוי;"סכום\nבש""ח";מטבע;מזהה;עמלה\n03/01/2026;"21.00";₪;c1;\n03/01/2026;"5.00";;x;\n'


def test_reports_that_no_settings_describe_are_taken_in_by_columns_that_a_person_chooses(
    office: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver without the setting is started beside the other; the form keeps the file through its steps."""
    without = {name: value for name, value in office.settings.items() if name != "settlement_columns"}
    with office.person() as person:
        assert "CELLAR_SETTLEMENT_COLUMNS" not in person.get(REPORTS).text
    with (
        installed(office.folder, **without),
        started() as receiver,
        Console(receiver, office.folder, without).person() as person,
    ):
        assert "CELLAR_SETTLEMENT_COLUMNS" in person.get(REPORTS).text
        for mapped, file, text in (
            ({"amount": "2"}, UNKNOWN, "Field required"),
            ({"settled_on": "1", "amount": "2"}, UNKNOWN, "rows are matched by these"),
            ({"settled_on": "1", "amount": "99", "cguid": "4"}, UNKNOWN, "Field required"),
            ({"settled_on": "1", "amount": "2", "cguid": "4", "all_in": "x"}, UNKNOWN, "[A-Z]{3}"),
            ({}, "\n" * 99 + UNKNOWN, "expected heads of columns"),
        ):
            answer = posted(person, REPORTS, mapped, file.encode())
            assert (answer.status_code, text in answer.text) == (422, True), answer.text
        wide = posted(person, REPORTS, {}, ",".join(map(str, range(16_000))).encode())
        assert len(wide.text) < 200_000
        monkeypatch.setattr(browser, "url", receiver.url)
        for language in ("en", "he"):
            page = browser.open(REPORTS, language)
            page.locator("main details").evaluate("each => each.open = true")
            data = UNKNOWN.encode("cp1255")
            page.set_input_files("#file", {"name": "דוח.csv", "mimeType": "text/csv", "buffer": data})
            page.locator("main form button").first.click()
            heads = {"settled_on": "זיכוי", "amount": 'סכום\nבש"ח', "currency": "מטבע", "cguid": "מזהה"}
            for name, head in heads.items():
                page.select_option(f"#column-{name}", label=head)
            assert browser.violations() + browser.excess() == []
            page.locator("main form button").first.click()
            page.locator("#preview").wait_for()
            assert browser.violations() == []
        assert all_of(select(SettlementReportRow)) == []
        page.locator("main form button[name=shown]").click()
        page.locator("#unmatched tbody tr").first.wait_for(timeout=10_000)
    [taken] = all_of(select(SettlementReportRow))
    assert taken.entries == 2
    assert page.locator("#unmatched tbody tr").count() == 1
