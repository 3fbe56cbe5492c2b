"""The dossier: one archive whole, its files, and what a person does with it. Hostile archives stay text."""

import hashlib
import io
import json
import os
import re
import socket
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from playwright.sync_api import Locator, expect
from sqlmodel import SQLModel, select

from adapters.database.listing import id_cursor
from adapters.database.migration import migrate
from adapters.database.transactions import insert_rows, reading, writing
from adapters.inbox import inbox
from adapters.store import ocfl
from adapters.tables import conditions
from adapters.tables.conditions import Found
from api.console.pages.archives.dossier import FIELDS_AT_ONCE, ITEMS_AT_ONCE
from api.console.words import languages
from models.archive.archive import FormFieldRow
from models.archive.content import FileRow
from models.runs.receipt import GIVEN_BY, DeliveryRow, VersionRow
from models.store.condition import OF_ALL_ARCHIVES, ConditionCode, Subject
from tests.adapters.documents.test_field_changes import REFILLED
from tests.adapters.documents.test_field_changes import signed as field_signed
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, started
from tests.api.console.conftest import CONTRACT, PERSON, PLAIN, Browser, Console, posted
from tests.api.console.hostile import FIELDS, HOSTILE_REFERENCE, SCRIPT, TEMPLATE
from tests.installations import archived, installed
from tests.pdf_updates import appended
from tests.pdfs import document, stream
from tests.records import buried
from tests.samples import PDF, PNG, sample_body, sample_document
from tests.validation_reports import read

DOSSIER = f"/console/archives/{CONTRACT}"
HOSTILE = f"/console/archives/{quote(HOSTILE_REFERENCE, safe='')}"
DOCUMENT, IMAGE = (hashlib.sha256(each).hexdigest() for each in (PDF, PNG))
SOUND = ("Sound", "תקין", "Unchanged since it was signed", "ללא שינוי מאז שנחתם", "intact")
UNALTERED = ("Unaltered", "Unaltered when it arrived", "לא שונה", "לא שונה עד הגעתו")
TEXT = hashlib.sha256(SCRIPT.encode()).hexdigest()
PAGES = [
    DOSSIER,
    f"{DOSSIER}/timeline",
    f"{DOSSIER}/differences?before=1&after=2",
    f"/console/archives/{PLAIN}/files/{DOCUMENT}/view",
    f"{DOSSIER}/files/{IMAGE}/view",
]
HOSTILE_PAGES = [
    "/console/archives",
    HOSTILE,
    f"{HOSTILE}/timeline",
    f"{HOSTILE}?list=fields&after={id_cursor(FIELDS - 501)}",
    f"{HOSTILE}/files/{TEXT}/view",
    f"/console/templates/{TEMPLATE}",
    f"/console/tables/form?template={TEMPLATE}",
]


@pytest.mark.parametrize("path", PAGES)
def test_page_is_accessible_and_fits(browser: Browser, path: str) -> None:
    assert browser.faults(path) == []


def test_person_puts_an_archive_on_legal_hold_and_releases_it(browser: Browser, person: httpx.Client) -> None:
    archive = f"/console/archives/{PLAIN}"
    page = browser.open(archive)
    page.locator("#hold summary").click()
    page.get_by_label("Why nobody may erase it").fill("A claim of the tenant")
    page.get_by_label("Last day, if it is known").fill("2199-12-31")
    browser.follow(page.locator("#hold button"))

    assert "nobody can erase it" in page.locator("main").inner_text()
    held = page.locator("#holds tbody tr").inner_text()
    assert all(each in held for each in ("On legal hold", "A claim of the tenant", "2199-12-31", PERSON))
    assert "On legal hold" in page.locator("#summary").inner_text()
    assert (browser.violations(), browser.overflow_px()) == ([], 0)
    listed = person.get("/console/archives?held=true").text
    assert listed.count('class="reference"') == listed.count("On legal hold</span>") == 1

    browser.follow(page.locator("#holds tbody button"))
    assert "On legal hold" not in page.locator("#summary").inner_text()
    assert posted(person, f"{archive}/hold", {"why": "a claim", "until": "tomorrow"}).status_code == 422
    assert posted(person, f"{archive}/hold", {"why": "the court"}).status_code == 303
    [hold] = re.findall(r'name="hold" value="(\w+)"', person.get(archive).text)
    assert posted(person, f"{archive}/release", {"hold": hold, "why": "settled"}).status_code == 303


def put(console: Console, reference: str, content: bytes) -> str:
    """Archive a signed document, and return the path of its dossier."""
    signed = sample_document()["signed_document"] | {"content": b64encode(content).decode()}
    with installed(console.folder, **console.settings):
        archived(reference, sample_body(reference, signed_document=signed))
    return f"/console/archives/{reference}"


def test_what_was_changed_after_a_signature_is_shown_page_beside_page_and_is_in_the_bag(
    console: Console, browser: Browser, person: httpx.Client
) -> None:
    with ThreadPoolExecutor() as apart:  # the browser holds this thread's event loop, and signing needs one
        path = put(console, "refilled", appended(apart.submit(field_signed).result(), REFILLED))

    alone = person.get(f"{path}/changed-pages")
    assert alone.text.count("data:image/png") == 2, alone.text
    pictures = browser.open(path, "he").locator("#changed-pages img")
    expect(pictures).to_have_count(2)
    assert pictures.evaluate_all("all => all.map(each => each.complete && each.naturalWidth > 500)") == [True, True]
    assert (browser.violations(), browser.excess()) == ([], [])

    bag = zipfile.ZipFile(io.BytesIO(posted(person, f"{path}/export", {}).content))
    drawn = [bag.read(each) for each in bag.namelist() if "/changed/1-" in each]
    assert [each[:4] for each in drawn] == [b"\x89PNG"] * 2
    assert len(set(drawn)) == 2
    assert "changed-pages" not in person.get(f"/console/archives/{PLAIN}").text


@pytest.mark.parametrize("language", ["en", "he"])
@pytest.mark.parametrize("path", HOSTILE_PAGES)
def test_hostile_archive_is_shown_as_text_and_the_layout_stays_whole(
    browser: Browser, path: str, language: str
) -> None:
    page = browser.open(path, language)

    assert browser.excess() == []
    assert page.title() != "broken"
    assert page.locator("main img[src=x], main script").count() == 0
    assert page.locator("main h1").is_visible()
    assert "\u202e" not in page.title() + page.inner_text("body")


def test_dossier_says_what_the_archive_has(browser: Browser) -> None:
    page = browser.open(DOSSIER)

    assert "2 times, as 2 versions" in page.locator("#summary").inner_text()
    assert "Unchanged since it was signed Who signed is not proved." in page.locator("#verdict").inner_text()
    assert "₪21.01" in page.locator("#payments").inner_text()
    assert "21.00 ILS" in page.locator("#discrepancies").inner_text()
    assert page.locator("#form tbody tr").count() == 5
    assert "Nothing in: " in page.locator(".dossier-facts > p").inner_text()
    assert page.locator(".dossier .empty-note").count() == 0
    standing = page.locator(".standing").inner_text().replace("\u2068", "").replace("\u2069", "")
    assert standing.startswith("Unaltered when it arrived")
    who = "Marker-314159 (as Cellosign says), sealed by דנה כהן"
    assert f"signatures: 1 · signed by {who} · Who signed is not proved." in standing
    facts = page.locator("#summary dt").all_inner_texts()
    assert facts[:3] == ["Parties", "Payments", "Signed by"]
    assert "version 2" in page.locator("#timeline").inner_text()
    browser.follow(page.get_by_role("link", name="what changed").first)
    assert "not decided" in page.locator("main").inner_text()


def test_dossier_and_timeline_are_in_the_language_of_the_page(browser: Browser, person: httpx.Client) -> None:
    page = browser.open(DOSSIER, "he")

    assert "זהות החותם אינה מוכחת" in page.locator("#verdict").inner_text()
    labels = page.locator("#verdict dt").all_inner_texts()
    assert [each.isascii() for each in labels] == [False] * len(labels) != []
    assert "סכום התשלום שונה מן הסכום שהספק מציין." in page.locator("#discrepancies").inner_text()
    said = "Open: The amount of the payment differs from the amount that the provider states. (AMOUNT_MISMATCH)"
    assert said in person.get(f"{DOSSIER}/timeline").text


def drawn(browser: Browser, number: int, path: str = DOSSIER) -> Locator:
    """Return a page of the document beside a dossier, once it is drawn."""
    page = browser.open(path)
    page.locator(".pdf-page[data-drawn]").first.wait_for()
    page.fill("#pdf-number", str(number))
    page.press("#pdf-number", "Enter")
    found = page.locator(f".pdf-page[data-number='{number}'][data-drawn]")
    found.wait_for()
    return found


def place_of(box: Locator) -> list[float]:
    """Return where a box is drawn, in hundredths of its page."""
    return list(
        box.evaluate(
            """box => {
                const [its, all] = [box, box.closest(".pdf-page")].map((each) => each.getBoundingClientRect());
                const [x, y] = [100 / all.width, 100 / all.height];
                return [(its.left - all.left) * x, (its.top - all.top) * y, its.width * x, its.height * y];
            }"""
        )
    )


def test_field_leads_to_its_place_on_a_turned_page_and_the_place_to_the_field(browser: Browser) -> None:
    page = browser.open(f"{DOSSIER}#field-4", "he")
    page.locator(".pdf-page[data-drawn] .pdf-box.lit").wait_for()
    page.locator("#field-1 a").focus()
    page.keyboard.press("Enter")
    lit = page.locator(".pdf-page[data-number='2'] .pdf-box.lit")
    lit.wait_for()

    assert place_of(lit) == pytest.approx([8.19, 65.92, 28.88, 2.05], abs=0.3)
    assert lit.evaluate("box => Math.abs(box.getBoundingClientRect().top - innerHeight / 2) < innerHeight / 2")
    page.locator("#field-2 a").click()
    expect(page.locator("#pdf-state")).to_contain_text("(4 / 3)")
    page.locator("#field-3 a").click()
    page.locator(".pdf-page[data-number='1'] .pdf-box.lit").wait_for()
    page.locator(".pdf-page[data-number='1'] .pdf-box").last.click()
    assert page.evaluate("document.querySelector(':target').id") == "field-5"


def test_signature_shows_its_verdict_where_it_stands_on_a_turned_and_cropped_page(browser: Browser) -> None:
    signature = drawn(browser, 2).locator("a.pdf-box")

    assert place_of(signature) == pytest.approx([50, 12.5, 15, 50], abs=0.5)
    assert "intact signature: דנה כהן" in re.sub(r"\s+", " ", signature.inner_text())
    signature.click(position={"x": 5, "y": 5})
    assert "intact" in browser.page.locator(":target").inner_text()
    assert drawn(browser, 3).locator("a.pdf-box").count() == 0


def test_words_are_found_on_every_page_and_lit_up(browser: Browser) -> None:
    page = drawn(browser, 1).page
    hits, lit = page.locator("#pdf-hits"), "[...CSS.highlights.get('found-here')].map(String).join()"
    page.locator("main").click(position={"x": 1, "y": 1})
    page.keyboard.press("f")
    page.keyboard.type("RENT  of")
    for key, shown in (("Enter", "1 / 3"), ("Enter", "2 / 3"), ("Shift+Enter", "3 / 3")):
        expect(hits).to_have_text(shown)
        page.keyboard.press(key)
    expect(hits).to_have_text("2 / 3")
    assert page.evaluate(lit) == "rent of"
    page.fill("#pdf-words", "שכירות")
    expect(hits).to_have_text("1 / 1")
    expect(page.locator("#pdf-number")).to_have_value("3")
    assert page.evaluate(lit) == "שכירות"
    page.fill("#pdf-words", "(.*")
    expect(hits).to_have_text("0")
    type_at_once = """sought => sought.forEach((each) => {
        const words = document.getElementById("pdf-words");
        words.value = each;
        words.dispatchEvent(new Event("input"));
    })"""
    page.evaluate(type_at_once, ["rent of", "rent", "rent of"])
    expect(hits).to_have_text(re.compile("/ 3$"))


def test_document_is_drawn_larger_and_fits_again(browser: Browser) -> None:
    first = drawn(browser, 1)
    fitting = first.locator("canvas").evaluate("each => each.width")
    browser.page.keyboard.press("Escape")
    browser.page.locator("#pdf-pages").focus()
    browser.page.keyboard.press("+")
    browser.page.keyboard.press("+")
    browser.page.wait_for_function(
        "width => document.querySelector('.pdf-page canvas').width > 1.4 * width", arg=fitting
    )
    assert browser.overflow_px() == 0
    browser.page.keyboard.press("0")
    browser.page.wait_for_function("width => document.querySelector('.pdf-page canvas').width === width", arg=fitting)


def test_document_that_cannot_be_read_or_claims_endless_pages_leaves_the_facts(
    console: Console, browser: Browser
) -> None:
    endless = document(
        [
            b"<</Type /Catalog /Pages 2 0 R>>",
            b"<</Type /Pages /Count 90000000 /Kids [3 0 R 4 0 R]>>",
            b"<</Type /Pages /Parent 2 0 R /Count 89999999 /Kids []>>",
            b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]>>",
        ]
    )
    for path, fields in ((HOSTILE, 500), (put(console, "endless", endless), 5)):
        page = browser.open(path)

        expect(page.locator("#pdf-state")).to_contain_text("This document cannot be shown", timeout=30_000)
        assert page.locator("#form tbody tr").count() == fields


def test_pdf_is_drawn_and_can_be_read(browser: Browser) -> None:
    page = browser.open(f"/console/archives/{PLAIN}/files/{DOCUMENT}/view")

    page.wait_for_selector(".pdf-page[data-drawn] canvas", state="attached")

    assert "I owe you 100" in str(page.locator(".pdf-page").first.text_content())
    assert not page.locator("#pdf-state").is_visible()


@pytest.mark.parametrize("language", ["en", "he"])
def test_file_that_the_store_has_damaged_or_lost_is_neither_shown_nor_offered_nor_called_sound(
    console: Console, person: httpx.Client, browser: Browser, language: str
) -> None:
    [path] = (console.folder / "data/store/archives").rglob(f"*plain/v*/content/files/{DOCUMENT}")
    before = path.read_bytes()
    pages = []
    for damaged in (before[:-1] + b"?", b""):
        path.write_bytes(damaged)
        pages.append(person.get(f"/console/archives/{PLAIN}/files/{DOCUMENT}/view").text)
        shown = browser.open(f"/console/archives/{PLAIN}", language)
        shown.locator("#pdf [data-when-lost]").wait_for()
        assert shown.locator("canvas").count() == 0
        assert not [each for each in shown.locator(".state").all_inner_texts() if each in (*SOUND, *UNALTERED)]
        assert browser.violations() == []
        browser.complaints[:] = [each for each in browser.complaints if "409" not in each]
    path.write_bytes(before)
    pages.append(person.get(f"/console/archives/{PLAIN}/files/{DOCUMENT}/view").text)

    assert ["download=true" in each for each in pages] == [False, False, True]
    assert ['id="pdf"' in each for each in pages] == [False, False, True]


def test_document_that_breaks_off_on_its_way_is_asked_for_again_and_not_called_damaged(
    console: Console, browser: Browser
) -> None:
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]>>"
    tree = b"<</Type /Pages /Count 1 /Kids [3 0 R]>>"
    catalog = b"<</Type /Catalog /Pages 2 0 R>>"
    path = put(console, "large", document([catalog, tree, page, stream(b"", os.urandom(4 << 20))]))
    cut = list[bytes]()

    class Relay(BaseRequestHandler):
        """Hands a request and its answer on, the first answer with a file to its half."""

        def handle(self) -> None:
            asked = self.request.recv(1 << 16).replace(b"keep-alive", b"close")
            with socket.create_connection(("127.0.0.1", console.receiver.port)) as receiver:
                receiver.sendall(asked)
                answer = b"".join(iter(lambda: receiver.recv(1 << 20), b""))
            is_cut = b"/files/" in asked and not cut
            cut.extend([asked] * is_cut)
            self.request.sendall(answer[: len(answer) // 2] if is_cut else answer)

    with ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        shown = browser.page
        shown.goto(f"http://{urlsplit(browser.url).hostname}:{server.server_address[1]}{path}")
        shown.locator(".pdf-page[data-drawn], [data-when-lost]:visible").first.wait_for()
        assert "Damaged" not in shown.locator(".standing").inner_text()
        assert cut
        server.shutdown()
    browser.elsewhere.clear()
    browser.complaints[:] = [each for each in browser.complaints if "ERR_CONTENT_LENGTH_MISMATCH" not in each]


def test_archive_with_any_open_condition_is_called_neither_sound_nor_unaltered(
    console: Console, person: httpx.Client
) -> None:
    path, pages = f"/console/archives/{PLAIN}", dict[str, str]()

    @contextmanager
    def has(subject: Subject, key: str, code: ConditionCode, values: dict[str, Any]) -> Iterator[None]:
        for found in (Found(1, values), None):
            with writing() as session:
                conditions.set_within(session, subject, key, {code: found}, datetime.now(UTC))
            if found:
                yield

    with installed(console.folder, **console.settings):
        for code in ConditionCode:
            with has(Subject.ARCHIVE, PLAIN, code, {"cause": "CONFLICT", "task": None, "sentence": None}):
                behind = person.get(f"{path}?list=conditions&after={id_cursor(9)}").text
                pages[code] = person.get(path).text + behind
        for code in OF_ALL_ARCHIVES:
            with has(Subject.STORE, "", code, {"files": []}):
                page = person.get(path).text
            pages[f"{code} of the store"] = page.partition('class="standing"')[2].partition("</p>")[0]
        before = datetime(2020, 1, 1, tzinfo=UTC)
        with writing() as session:
            conditions.note_within(session, [ocfl.object_key(PLAIN)], checked_at=before, anchored_at=before)
    pages["whole"] = person.get(path).text
    assert all(each in pages["whole"] for each in ("not checked yet", "not anchored yet"))

    good = re.compile(r'class="state[^>]*>(Sound|intact|Un(?:changed|altered)[^<]*)<')
    called = {code: good.findall(page) for code, page in pages.items()}
    assert called.pop("whole") == ["Unaltered when it arrived", "Unchanged since it was signed", "intact"]
    assert "Not as anchored" in pages["NOT_AS_ANCHORED of the store"]
    assert {code: each for code, each in called.items() if each} == {}


def test_image_is_shown_by_its_bytes_and_everything_else_is_handed_out(person: httpx.Client) -> None:
    image, document = (person.get(f"/console/archives/{PLAIN}/files/{each}") for each in (IMAGE, DOCUMENT))
    page = person.get(f"{HOSTILE}/files/{TEXT}")
    report = person.get(f"/console/archives/{PLAIN}/validation-report.xml")

    assert 'href="/console/archives/plain/validation-report.xml"' in person.get(f"/console/archives/{PLAIN}").text
    assert read(report.content) == [("indeterminate", "NO_CERTIFICATE_CHAIN_FOUND")]
    assert report.headers["content-disposition"].startswith("attachment")
    assert (image.content, image.headers["content-type"]) == (PNG, "image/png")
    assert image.headers["content-disposition"].startswith("inline")
    assert (document.content, document.headers["content-type"]) == (PDF, "application/octet-stream")
    for each in (document, page):
        assert each.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in each.headers["content-security-policy"]
    assert page.headers["content-type"] == "application/octet-stream"


def test_what_is_not_there_is_said_and_an_erased_archive_has_its_tombstone_alone(
    console: Console, person: httpx.Client
) -> None:
    for path, status in (
        ("archives/x", 404),
        ("archives/a%00", 422),
        (f"archives/{CONTRACT}/files/{'0' * 64}/view", 404),
    ):
        answer = person.get(f"/console/{path}")
        assert (answer.status_code, "<html" in answer.text) == (status, True)
    with installed(console.folder, **console.settings):
        archived("erased", sample_body("erased"))
        digest = buried("erased")
    for path in ("", "/timeline"):
        answer = person.get(f"/console/archives/erased{path}")

        assert answer.status_code == 410
        assert all(said in answer.text for said in ("Dana", "Noa", "the term is over", digest))
        assert "SOMEFIELD1" not in answer.text


def test_archive_with_long_values_and_a_strange_recipient_fits_its_page(console: Console, browser: Browser) -> None:
    sample = sample_document()
    sample["sessions"][0]["recipient"] = {"name": [{"of": "Noa"}]}
    sample["attachments"][0]["mimetype"] = f"application/vnd.{'openxmlformats-officedocument' * 2}"
    sample["data"][0] |= {"id": "TAX_RESIDENT_ELSEWHERE_" * 2, "value": "sarah.oconnor.of.the.family@example.org"}
    with installed(console.folder, **console.settings):
        archived("strange", json.dumps(sample | {"reference": "strange"}).encode())

    assert browser.open("/console/archives/strange").locator("#summary").count() == 1
    assert browser.excess() == []


def test_explanation_has_the_name_of_the_person_and_an_empty_one_is_refused(
    browser: Browser, person: httpx.Client
) -> None:
    said = "Write a reason of at most 10,000 characters."
    empty = posted(person, "/console/discrepancies/decide", {"why": " "})
    assert languages.is_in_both_languages(said)
    assert (empty.status_code, said in empty.text, "A value that was sent" in empty.text) == (422, True, False)
    page = browser.open(DOSSIER)

    page.get_by_label("Why this is in order").fill("בירור טלפוני <b>")
    browser.follow(page.get_by_role("button", name="Explain"))

    assert "Explained: 1." in page.get_by_role("status").first.inner_text()
    explained = page.locator("#discrepancies").inner_text()
    assert all(each in explained for each in (f"{PERSON}, ", "בירור טלפוני <b>"))
    assert page.locator(".timeline-action").count() == 1


def test_export_and_a_rerun_that_waits_for_prefect_stand_in_the_timeline_with_who_asked(person: httpx.Client) -> None:
    path = f"/console/archives/{PLAIN}"
    exported, rerun = (posted(person, f"{path}/{does}", {}) for does in ("export", "rerun"))

    assert exported.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(exported.content)) as bag:
        assert {"check.py", "bagit.txt"} <= {each.rpartition("/")[2] for each in bag.namelist()}
    assert "will start when Prefect is back" in person.get(rerun.headers["location"]).text
    timeline = person.get(f"{path}/timeline").text
    assert all(each in timeline for each in ("exported the archive", "asked for a re-run", PERSON))


def test_version_of_another_source_is_set_aside_until_a_person_accepts_it_or_gives_it_the_process(
    console: Console, browser: Browser
) -> None:
    with installed(console.folder, **console.settings):
        foreign = archived(PLAIN, sample_body(PLAIN, data=[]), source="elsewhere")
        page = browser.open(f"/console/archives/{PLAIN}")
        assert browser.violations() == []
        assert "SOURCES_DIFFER" in page.locator("#warnings").inner_text()

        browser.follow(page.locator("#versions").get_by_role("button", name="Accept"))

        assert "accepted" in page.locator(".alert-success").inner_text()
        with inbox.opened_body(foreign) as waiting:
            assert waiting.read() == sample_body(PLAIN, data=[])

        browser.follow(page.locator("#versions").get_by_role("button", name="Give the process"))

        assert "given to the source" in page.locator(".alert-success").inner_text()
        newest = max(inbox.deliveries(), key=lambda each: each.delivery_id)
        assert (newest.receipt_id, newest.source, GIVEN_BY in newest.headers) == (foreign, "elsewhere", True)


_ROWS, _MOST_BYTES = 1_000, 512 << 10


def _repeat(table: type[SQLModel], **own: str) -> None:
    """Add rows like the first row of a table. `own` names members that differ, with a pattern of their values."""
    with reading() as session:
        first = session.exec(select(table)).first()
        assert first is not None
        like = {"skeleton": b"{}"} | first.model_dump() if table is VersionRow else first.model_dump()
    rows = [
        like | {name: int(each.format(n)) if each == "{}" else each.format(n) for name, each in own.items()}
        for n in range(100, 100 + _ROWS)
    ]
    with writing() as session:
        insert_rows(session, table, rows)


def _next_of(page: str, name: str) -> str:
    """Return the address of the items of a list that follow a page."""
    (url,) = re.findall(f'href="([^"]*list={name}&amp;[^"#]*)#', page)
    return str(url).replace("&amp;", "&")


def test_dossier_of_a_thousand_versions_files_and_fields_and_their_differences_are_pages(tmp_path: Path) -> None:
    many = [{"id": f"field-{number}", "value": "x", "type": "text"} for number in range(FIELDS_AT_ONCE + 20)]
    later = {"type": "WHP_ARCHIVE", "timestamp": "2040-01-01T00:00:00"}
    path, differences = f"/console/archives/{PLAIN}", "/console/archives/differs/differences?before=1&after=2"
    with installed(tmp_path, webhook_secrets=SECRET, api_tokens=TOKEN, link_secret=LINK_KEY):
        migrate()
        archived(PLAIN, sample_body(PLAIN))
        _repeat(VersionRow, version="{}", receipt_id="{:064x}")
        _repeat(DeliveryRow, delivery_id="d{}")
        _repeat(FileRow, position="{}", filename="file-{}.txt")
        _repeat(FormFieldRow, position="{}", id="field-{}")
        archived("differs", sample_body("differs", data=[]))
        archived("differs", sample_body("differs", data=many, event=later))
        with started() as receiver, Console(receiver, tmp_path, {}).person() as person:
            first = person.get(path)
            files = [first.text]
            for _ in range(_ROWS // ITEMS_AT_ONCE):
                files.append(person.get(_next_of(files[-1], "files")).text)
            older, fields = (person.get(_next_of(first.text, name)).text for name in ("versions", "fields"))
            assert person.get(f"{path}?list=files&after=x").status_code == 422
            differ, rest = (person.get(f"{differences}{each}").text for each in ("", f"&start={FIELDS_AT_ONCE}"))

    assert len(first.content) < _MOST_BYTES
    assert [[f"file-{number}.txt" in each for each in files[:2]] for number in (110, 160)] == [
        [True, False],
        [False, True],
    ]
    assert f"file-{99 + _ROWS}.txt" in files[-1]
    assert not re.search(r"list=files[^\"]*#", files[-1])
    assert all(f"{_ROWS + 1:,}" in each for each in files)
    for page, number in ((first.text, 99 + _ROWS), (older, 99 + _ROWS - ITEMS_AT_ONCE)):
        assert f"differences?before={number - 1}&amp;after={number}" in page
    assert first.text.count('<tr id="field-') == fields.count('<tr id="field-') == FIELDS_AT_ONCE
    assert f"start={FIELDS_AT_ONCE}" in differ
    assert "field-0<" in differ
    assert [f"field-{FIELDS_AT_ONCE + 19}<" in each for each in (differ, rest)] == [False, True]
