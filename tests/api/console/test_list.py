"""The page of archives as a list of many: rows of one line, keys, choosing rows, and all of it without scripts."""

import io
import json
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from models.access import CELLAR
from models.archive.archive import State
from services.views import archive_view
from tests.api.console.conftest import CONTRACT, PERSON, PLAIN, Browser, Console, posted, references
from tests.batches import fill, filled
from tests.installations import archived, installed
from tests.samples import sample_body

ROWS, OWN = 30, "own"
LIST = "/console/archives?template=many"
HEBREW = {"KeyJ": "ח", "KeyK": "ל", "KeyX": "ס"}


@pytest.fixture(scope="module")
def many(troubled: Console) -> Console:
    """The console with 30 more archives of a template."""
    with installed(troubled.folder, **troubled.settings):
        document = json.loads(sample_body(OWN))
        document["payments"][0]["amount"], document["sessions"][0]["template"]["id"] = 1, OWN
        archived(OWN, json.dumps(document).encode())
        fill((filled(1000 + number, State.COMPLETED) for number in range(ROWS)), template="many")
    return troubled


@pytest.fixture
def page(many: Console, browser: Browser) -> Iterator[Page]:
    assert many
    yield browser.open(LIST)
    browser.open("/console/archives", "en")


def reference_at(page: Page) -> str:
    """Return the reference of the row that has the focus."""
    found: str = page.evaluate("document.activeElement.closest('tr').dataset.reference")
    return found


@pytest.mark.parametrize("language", ["en", "he"])
def test_twenty_rows_of_one_line_fit_a_laptop(page: Page, browser: Browser, language: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    browser.open(LIST, language)

    boxes = [each.bounding_box() for each in page.locator("tr[data-reference]").all()]

    assert sum(box is not None and box["y"] + box["height"] <= 800 for box in boxes) >= 20
    assert {round(box["height"]) for box in boxes if box} <= {28, 29}
    assert browser.overflow_px() == 0


def test_three_tabs_lead_to_the_first_result_whose_reference_is_copied_with_one_click(
    page: Page, browser: Browser
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    browser.open("/console/archives")
    for _ in range(3):
        page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.matches('a.reference')")
    assert reference_at(page) == references(page)[0]
    page.locator("[data-copy]").first.click()
    page.locator("[data-copied]").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == references(page)[0]


@pytest.mark.parametrize("layout", [{}, HEBREW])
def test_keys_walk_choose_and_open_rows_in_each_layout(page: Page, browser: Browser, layout: dict[str, str]) -> None:
    def press(code: str, *, shift: bool = False) -> None:
        key = layout.get(code, code[-1].lower())
        page.evaluate(
            "([code, key, shiftKey]) => document.activeElement.dispatchEvent("
            "new KeyboardEvent('keydown', {code, key, shiftKey, bubbles: true}))",
            [code, key, shift],
        )

    rows = references(page)
    for code in ("KeyJ", "KeyJ", "KeyJ", "KeyK"):
        press(code)
    assert reference_at(page) == rows[1]

    press("KeyX")
    press("KeyJ")
    press("KeyJ")
    press("KeyX", shift=True)
    assert page.locator("tbody input:checked").count() == 3
    assert page.locator("[data-chosen]").inner_text() == "3"
    assert browser.violations() == []
    press("KeyX")
    assert page.locator("tbody input:checked").count() == 2

    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith(f"/archives/{rows[3]}")


def test_boxes_choose_a_range_with_shift_and_the_plan_has_these_archives(page: Page, browser: Browser) -> None:
    boxes = page.locator("tbody input[type=checkbox]")
    assert page.locator(".acts .reason:visible").count() == 0  # nothing can be erased before something is chosen
    boxes.nth(1).click()
    assert page.locator(".acts .reason:visible").count() == 2
    boxes.nth(4).click(modifiers=["Shift"])

    browser.follow(page.get_by_role("button", name="Plan a re-run"))

    assert "Run 4 archives again" in page.locator("main").inner_text()


def test_new_archives_announce_themselves_and_the_page_stays_as_it_is(page: Page, many: Console) -> None:
    before = references(page)
    with installed(many.folder, **many.settings):
        fill([filled(2000, State.COMPLETED)], template="many")

    page.evaluate("htmx.trigger('[hx-get*=arrivals]', 'arrivals')")
    page.locator(".chip-new").wait_for()

    assert page.locator(".chip-new").inner_text() == "One new archive"
    assert references(page) == before


def test_without_scripts_a_person_searches_filters_counts_sorts_and_acts(many: Console, browser: Browser) -> None:
    opened = browser.context.browser
    assert opened
    state = browser.context.storage_state()
    context = opened.new_context(java_script_enabled=False, base_url=many.url, storage_state=state)
    try:
        page = context.new_page()
        page.goto("/console/archives")
        page.fill("#search", CONTRACT)
        page.locator(".console-search button").click()
        page.locator("mark").first.wait_for()
        page.get_by_role("link", name="Count the archives that match").click()
        page.locator("#facets a", has_text="Verified").click()
        page.select_option("select[name=sort]", "amount")
        page.locator(".drawer summary").click()
        page.locator(".drawer button").click()
        page.locator(f"tr[data-reference='{CONTRACT}']").wait_for()
        assert "sort=amount" in page.url

        page.locator("tbody input").check()
        page.get_by_role("button", name="Plan a re-run").click()
        assert "archive" in page.locator("h1 + *, main").first.inner_text()
        assert "/console/bulk/" in page.url
    finally:
        context.close()


def test_chosen_archives_are_exported_as_bags_and_given_a_reason(many: Console) -> None:
    chosen = {"chosen": [OWN, PLAIN], "references": "nobody", "q": "nobody"}

    with many.person() as person:
        zipped = posted(person, "/console/archives/bags", chosen)
        given = {**chosen, "why": "agreed", "then": f"/console/archives?q={OWN}"}
        explained = posted(person, "/console/archives/explain", given)
        said = person.get(explained.headers["location"]).text

    with zipfile.ZipFile(io.BytesIO(zipped.content)) as whole:
        assert sorted(whole.namelist()) == [f"{OWN}.zip", f"{PLAIN}.zip"]
        with zipfile.ZipFile(io.BytesIO(whole.read(f"{PLAIN}.zip"))) as bag:
            assert any(each.endswith("bagit.txt") for each in bag.namelist())
    with installed(many.folder, **many.settings):
        view = archive_view.archive(OWN, CELLAR, archive_view.WHOLE)
    assert view
    assert {(each.explanation.by, each.explanation.why) for each in view.discrepancies if each.explanation} == {
        (PERSON, "agreed")
    }
    assert explained.headers["location"].endswith(f"archives?q={OWN}&explained={len(view.discrepancies)}")
    assert "explained." in said
