"""What holds for every page: headers, keys, the palette, languages, static files; and the overview with its charts."""

import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.api.console.conftest import CONTRACT, PERSON, PLAIN, Browser, Console, references
from tests.conftest import wait_until

ROOT = Path(__file__).parents[3]
DOSSIER = f"/console/archives/{CONTRACT}"


def test_answers_forbid_what_pages_do_not_need(console: Console) -> None:
    with console.person() as person:
        headers = person.get("/console/archives").headers

    policy = dict(each.partition(" ")[::2] for each in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_charts_of_a_young_installation_show_minutes_and_empty_ones_are_named_in_a_line(console: Console) -> None:
    with console.person() as person:
        page = person.get("/console/").text

    assert "Since the first delivery" in page
    assert re.search(r"Nothing in this time: [^<]*Refused deliveries · Missing processes", page)
    times = re.findall(r'<a href="/console/archives\?received_after=[^"]+"><time datetime="([^"]+)"', page)
    assert {each[14:16] for each in times} <= {f"{minute:02}" for minute in range(0, 60, 5)}
    assert len(set(times)) >= 2


def test_first_tab_skips_to_the_content_slash_focuses_the_search_and_question_mark_lists_the_keys(
    browser: Browser,
) -> None:
    page = browser.open("/console/archives")
    assert page.locator(".console-name bdi").inner_text() == PERSON

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    assert browser.violations() == []
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("contr")
    assert page.locator("#search").input_value() == "contr"
    page.keyboard.press("Enter")
    page.wait_for_url("**/archives?q=contr")
    assert references(page) == [CONTRACT]


@pytest.mark.parametrize(
    ("accepted", "language"), [("he-IL,he;q=0.9,en;q=0.8", "he"), ("iw", "he"), ("fr,en;q=0.5", "en"), ("", "en")]
)
def test_language_follows_the_browser_until_a_person_chooses(
    visitor: httpx.Client, accepted: str, language: str
) -> None:
    page = visitor.get("/console/login", headers={"accept-language": accepted})
    visitor.cookies.set("cellar_language", "en")
    chosen = visitor.get("/console/login", headers={"accept-language": accepted})

    assert f'<html lang="{language}"' in page.text
    assert '<html lang="en"' in chosen.text


def find(page: Page, text: str) -> Locator:
    """Open the palette as a person does in a Hebrew layout, from a field too, and type."""
    page.locator("#search").evaluate(
        "(each, key) => each.dispatchEvent(new KeyboardEvent('keydown', key))",
        {"code": "KeyK", "key": "ל", "ctrlKey": True, "bubbles": True, "cancelable": True},
    )
    page.keyboard.type(text)
    return page.locator("#palette [role=option]:visible")


@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("he", "light")])
def test_palette_is_accessible_and_fits(browser: Browser, language: str, theme: str) -> None:
    page = browser.open(DOSSIER, language, theme)
    expect(find(page, "")).not_to_have_count(0)
    assert browser.violations() == []

    page.keyboard.type("script")
    expect(page.locator("#palette [role=option]:visible")).to_have_count(1)
    assert browser.violations() == []
    assert browser.overflow_px() == 0
    assert page.title() != "broken"

    page.keyboard.type("nowhere")
    expect(page.locator("#palette [role=status] span")).to_be_visible()
    assert browser.violations() == []


def test_palette_leads_to_what_a_form_sends_without_sending_it_and_to_a_page_by_its_english_name_too(
    browser: Browser,
) -> None:
    page = browser.open(DOSSIER, "he")
    label, url = str(page.locator("form[action$=rerun] button").inner_text()), page.url
    expect(find(page, label)).to_have_count(1)
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")  # held
    assert page.evaluate("document.activeElement.closest('form').action").endswith("/rerun")
    assert not page.locator("#palette").is_visible()
    page.keyboard.up("Enter")
    assert page.url == url

    expect(find(page, "refu")).to_have_count(1)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/console/refused")


def test_palette_opens_the_archive_that_is_typed_and_no_address_has_it(console: Console, browser: Browser) -> None:
    page = browser.open("/console/refused")
    page.keyboard.press("Control+k")
    page.keyboard.type("contract")
    page.keyboard.press("Enter")  # before the answer
    page.wait_for_url(f"**/archives/{CONTRACT}")

    assert page.evaluate("document.referrer") == f"{console.url}/console/refused"
    page.keyboard.press("Control+k")
    page.keyboard.type("dark")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_palette_shows_no_slow_answer_about_what_was_typed_before(browser: Browser) -> None:
    page, slow = browser.open("/console/"), list[Route]()
    page.route("**/archives?limit=8&q=plai", lambda route: slow.append(route))  # noqa: PLW0108 -- a builtin method is no handler
    page.keyboard.press("Control+k")
    page.keyboard.type("plai")
    wait_until(lambda: page.evaluate("1") and bool(slow))
    page.keyboard.press("Control+a")
    page.keyboard.type("contract")
    found = page.locator("#palette [role=option]:visible")
    expect(found).to_have_count(1)
    slow[0].continue_()
    page.unroute_all(behavior="wait")

    assert found.get_attribute("href") == f"/console/archives/{CONTRACT}"
    page.keyboard.press("Control+a")
    page.keyboard.type(PLAIN)
    expect(found).to_have_attribute("href", f"/console/archives/{PLAIN}")


def test_static_file_is_kept_for_good_under_the_digest_of_all_and_none_is_outside_of_the_folder(
    visitor: httpx.Client,
) -> None:
    found = re.findall(r'(?:src|href)="(/console/static/[^"#]+)', visitor.get("/console/login").text)
    answers = [visitor.get(path) for path in found]
    base, _, name = found[0].removeprefix("/console/static/").partition("/")

    assert {each.status_code for each in answers} == {200}
    assert {each.headers["cache-control"] for each in answers} == {"public, max-age=31536000, immutable"}
    assert {each.headers["content-encoding"] for each in answers} == {"gzip"}
    wrong = {f"{'0' * 16}/{name}": 404, f"{base}/../console.py": 404, f"{base}/%2e%2e/console.py": 400}
    wrong |= {f"{base}/vendored/LICENSES.md": 404, f"{base}/": 404}
    assert {path: visitor.get(f"/console/static/{path}").status_code for path in wrong} == wrong


def test_static_file_of_others_is_pinned_with_its_license() -> None:
    packages = json.loads((ROOT / "deploy/console/vendored.json").read_text())["packages"]
    licenses = (ROOT / "api/console/static/vendored/LICENSES.md").read_text()

    assert [each["name"] for each in packages if each["name"] not in licenses] == ["axe-core"]  # of tests alone
    assert {len(each["sha256"]) for each in packages} == {hashlib.sha256().digest_size * 2}
    assert [place for each in packages for place in each["files"].values() if not (ROOT / place).exists()] == []


CANVAS = ".chart-canvas canvas"


def test_each_trouble_is_a_link_to_its_page_in_words_with_codes_and_tables_stand_beside_charts(
    troubled: Console, browser: Browser
) -> None:
    page = browser.open("/console/")

    found = {each.get_attribute("href"): each.inner_text().split()[0] for each in page.locator(".tile-link").all()}
    assert found == {
        "/console/failed": "3",
        "/console/archives?condition=RUN_FAILED": "1",
        "/console/archives?condition=FILE_DAMAGED": "1",
        "/console/missing": "2",
        "/console/refused": "2",
        "/console/discrepancies?state=open": found["/console/discrepancies?state=open"],
        "/console/endpoints": "1",
    }
    for path in found:
        assert page.request.get(f"{troubled.url}{path}").ok
    page.locator("#parts summary").first.click()
    parts = page.locator("#parts").inner_text()
    assert all(f"Last {each}" in parts for each in ("check of the store", "anchor", "comparison with an anchor"))
    with troubled.person() as person:
        text = person.get("/console/").text  # without script
    assert "The archive has a payment that no field of the form refers to." in text
    assert "<small><code>PAYMENT_WITHOUT_FIELD</code></small>" in text
    assert text.count("<caption") >= 7
    assert '<td class="number" data-value="1">1</td>' in text


def test_seven_charts_are_drawn_and_anew_when_the_colours_change_or_for_a_month(
    troubled: Console, browser: Browser
) -> None:
    assert troubled
    page = browser.open("/console/")

    expect(page.locator(CANVAS)).to_have_count(7)
    failures = page.locator("section[aria-labelledby=failures-title]")
    assert failures.locator(".chart-table thead th").all_text_contents()[1:] == [
        "The store does not answer, or cannot be written",
        "Two records disagree, and no rule says which of them is right",
    ]
    assert failures.locator(".chart-table tbody tr").count() == 25
    light = picture(page)
    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
    wait_until(lambda: picture(page) != light, timeout_s=60)

    browser.open("/console/?span=month")
    expect(page.locator(CANVAS)).to_have_count(7)  # from a day before the first delivery
    assert page.locator("section[aria-labelledby=arrivals-title] .chart-table tbody tr").count() in (3, 4)
    assert "Since the first delivery" in page.locator("main").inner_text()


def picture(page: Page) -> str:
    return str(page.locator(CANVAS).first.evaluate("canvas => canvas.toDataURL()"))


def test_point_of_a_chart_leads_to_what_arrived_in_its_time_by_click_and_by_keys(
    troubled: Console, browser: Browser
) -> None:
    page = browser.open("/console/")
    rows = page.locator("section[aria-labelledby=refusals-title] .chart-table tbody tr")
    ago = rows.evaluate_all("rows => rows.findIndex(row => row.cells[1].dataset.value === '1')")
    link = rows.nth(ago).locator("a").get_attribute("href")
    chart = page.locator("section[aria-labelledby=refusals-title] [role=slider]")
    chart.focus()
    for _ in range(ago):
        page.keyboard.press("ArrowLeft")
    assert "Refused 1" in str(chart.get_attribute("aria-valuetext"))
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == f"{troubled.url}{link}"
    assert page.locator("main tbody .title").count() == 2  # a row in two cells of titles
    assert "NOT_JSON" in page.locator("main").inner_text()

    page = browser.open("/console/")
    over = page.locator("section[aria-labelledby=refusals-title] .u-over")
    late = (rows.count() - ago - 0.25) / rows.count()  # in its time, and nearer to the point of the next hour
    with page.expect_navigation():
        over.click(position={"x": over.evaluate("each => each.clientWidth") * late, "y": 9})
    assert page.url == f"{troubled.url}{link}"

    page = browser.open("/console/")
    with page.expect_navigation():
        page.locator("section[aria-labelledby=arrivals-title] .u-over").click(position={"x": 2, "y": 9})
    assert "/console/archives?received_after=" in page.url
    assert not page.locator("tr[data-reference]").count()
