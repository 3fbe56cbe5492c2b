"""What holds for every page: nothing from elsewhere, no violation of accessibility, keys, languages, static files."""

import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.api.console.conftest import CONTRACT, PERSON, PLAIN, Browser, Console
from tests.conftest import wait_until

ROOT = Path(__file__).parents[3]
LOOKS = [("en", "dark"), ("he", "light")]


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


def test_slash_focuses_the_search_and_question_mark_lists_the_keys(browser: Browser) -> None:
    page = browser.open("/console/archives")

    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    assert browser.violations() == []
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("contr")
    assert page.locator("#search").input_value() == "contr"
    page.keyboard.press("Enter")
    page.wait_for_url("**/archives?q=contr")
    assert page.locator("tr[data-reference]").evaluate_all("rows => rows.map(row => row.dataset.reference)") == [
        CONTRACT
    ]


def test_first_tab_skips_to_the_content(browser: Browser) -> None:
    page = browser.open("/console/archives")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize(
    ("accepted", "language"), [("he-IL,he;q=0.9,en;q=0.8", "he"), ("iw", "he"), ("fr,en;q=0.5", "en"), ("", "en")]
)
def test_language_follows_the_browser_until_a_person_chooses(console: Console, accepted: str, language: str) -> None:
    with console.visitor() as visitor:
        page = visitor.get("/console/login", headers={"accept-language": accepted})
        visitor.cookies.set("cellar_language", "en")
        chosen = visitor.get("/console/login", headers={"accept-language": accepted})

    assert f'<html lang="{language}"' in page.text
    assert '<html lang="en"' in chosen.text


def test_name_of_the_person_is_isolated(browser: Browser) -> None:
    assert browser.open("/console/archives").locator(".console-name bdi").inner_text() == PERSON


class TestPalette:
    @pytest.fixture(params=LOOKS)
    def page(self, console: Console, browser: Browser, request: pytest.FixtureRequest) -> Page:
        assert console
        return browser.open(f"/console/archives/{CONTRACT}", *request.param)

    def find(self, page: Page, text: str) -> Locator:
        """Open the palette as a person does in a Hebrew layout, from a field too, and type."""
        page.locator("#search").evaluate(
            "(each, key) => each.dispatchEvent(new KeyboardEvent('keydown', key))",
            {"code": "KeyK", "key": "ל", "ctrlKey": True, "bubbles": True, "cancelable": True},
        )
        page.keyboard.type(text)
        return page.locator("#palette [role=option]:visible")

    def test_is_accessible_and_fits(self, page: Page, browser: Browser) -> None:
        expect(self.find(page, "")).not_to_have_count(0)
        assert browser.violations() == []

        page.keyboard.type("script")
        expect(page.locator("#palette [role=option]:visible")).to_have_count(1)
        assert browser.violations() == []
        assert browser.overflow_px() == 0
        assert page.title() != "broken"

        page.keyboard.type("nowhere")
        expect(page.locator("#palette [role=status] span")).to_be_visible()
        assert browser.violations() == []

    def test_finds_a_page_by_its_english_name_too(self, page: Page, console: Console) -> None:
        found = self.find(page, "refu")

        expect(found).to_have_count(1)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.url == f"{console.url}/console/refused"

    def test_what_a_form_sends_gets_the_focus_and_is_not_sent(self, page: Page) -> None:
        label = str(page.locator("form[action$=rerun] button").inner_text())
        expect(self.find(page, label)).to_have_count(1)
        url = page.url

        page.keyboard.down("Enter")
        page.keyboard.down("Enter")  # held
        assert page.evaluate("document.activeElement.closest('form').action").endswith("/rerun")
        assert not page.locator("#palette").is_visible()
        page.keyboard.up("Enter")
        assert page.url == url


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


def test_palette_shows_no_slow_answer_about_what_was_typed_before(console: Console, browser: Browser) -> None:
    assert console
    page, slow = browser.open("/console/"), list[Route]()

    def hold(route: Route) -> None:
        slow.append(route)

    page.route("**/archives?limit=8&q=plai", hold)
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


class TestStaticFile:
    def test_is_kept_for_good_under_the_digest_of_all(self, console: Console) -> None:
        with console.visitor() as visitor:
            found = re.findall(r'(?:src|href)="(/console/static/[^"#]+)', visitor.get("/console/login").text)
            answers = [visitor.get(path) for path in found]
            other = visitor.get(f"/console/static/0000000000000000/{found[0].rpartition('/')[2]}")

        assert {each.status_code for each in answers} == {200}
        assert {each.headers["cache-control"] for each in answers} == {"public, max-age=31536000, immutable"}
        assert {each.headers["content-encoding"] for each in answers} == {"gzip"}
        assert other.status_code == 404

    @pytest.mark.parametrize(
        ("name", "status"),
        [("../console.py", 404), ("%2e%2e/console.py", 400), ("vendored/LICENSES.md", 404), ("", 404)],
    )
    def test_outside_of_the_folder_is_unknown(self, console: Console, name: str, status: int) -> None:
        digest = _digest(console)

        assert httpx.get(f"{console.url}/console/static/{digest}/{name}", trust_env=False).status_code == status

    def test_of_others_is_pinned_with_its_license(self) -> None:
        packages = json.loads((ROOT / "deploy/console/vendored.json").read_text())["packages"]
        licenses = (ROOT / "api/console/static/vendored/LICENSES.md").read_text()

        assert [each["name"] for each in packages if each["name"] not in licenses] == ["axe-core"]  # of tests alone
        assert {len(each["sha256"]) for each in packages} == {hashlib.sha256().digest_size * 2}
        places = [place for each in packages for place in each["files"].values()]
        assert [place for place in places if not (ROOT / place).exists()] == []


def _digest(console: Console) -> str:
    found = re.search("/console/static/([0-9a-f]+)/", httpx.get(f"{console.url}/console/login", trust_env=False).text)
    assert found
    return found[1]
