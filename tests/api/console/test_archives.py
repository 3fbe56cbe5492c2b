"""The page of archives: filters, keyset pages, and what is done with all that match."""

import csv
import io
import re
from collections.abc import Iterator

import httpx
import pytest

from adapters.database.transactions import writing
from adapters.search import entries
from models.search import DerivedRow
from models.views.archives.archives import ArchiveQuery
from services import derived
from services.batches import batches
from tests.api.console.conftest import CONTRACT, PERSON, PLAIN, Browser, Console, posted
from tests.api.console.hostile import HOSTILE_REFERENCE, SCRIPT
from tests.installations import installed


@pytest.fixture
def person(console: Console) -> Iterator[httpx.Client]:
    with console.person() as client:
        yield client


def references(browser: Browser) -> list[str]:
    return browser.page.locator("a.reference").all_inner_texts()


def titles(person: httpx.Client, path: str) -> list[str]:
    """Return the titles of the columns of a list."""
    return re.findall('<th scope="col">([^<]*)</th>', person.get(path).text)


def test_form_has_a_field_for_every_filter_of_the_api(browser: Browser) -> None:
    page = browser.open("/console/archives")

    names = page.locator("form.card [name]").evaluate_all("fields => fields.map(field => field.name)")

    assert set(names) == set(ArchiveQuery.model_fields) - {"cursor", "limit"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"q={CONTRACT}", [CONTRACT]),
        ("discrepancy=AMOUNT_MISMATCH", [CONTRACT]),
        ("state=failed", []),
        ("reference=plain&state=&q=&attention=", [PLAIN]),
        ("label=Marker-314159%3DMarker-314159", [CONTRACT]),
        ("received_after=2001-01-01T00:00&received_before=2001-01-02T00:00", []),
    ],
)
def test_filters_find_what_the_api_finds(browser: Browser, query: str, found: list[str]) -> None:
    browser.open(f"/console/archives?{query}")

    assert references(browser) == found


def test_search_says_how_many_archives_are_not_indexed_until_all_are(console: Console, person: httpx.Client) -> None:
    said = "Archives that a search may miss until they are indexed: 1"
    with installed(console.folder, **console.settings), writing() as session:
        session.merge(DerivedRow(kind=derived.SEARCH, version=entries.version(session), last="", lacking=1))
    assert said in person.get("/console/archives?state=failed").text

    with installed(console.folder, **console.settings):
        while derived.fill():
            pass
    assert said not in person.get("/console/archives?state=failed").text


@pytest.mark.parametrize("query", ["state=x", "process_number=many", "received_after=soon", "label=none", "cursor=x"])
def test_wrong_filter_is_said_and_nothing_is_searched(browser: Browser, query: str) -> None:
    page = browser.open(f"/console/archives?{query}")

    assert references(browser) == []
    assert page.get_by_role("alert").is_visible()


def test_typing_into_a_filter_searches_without_leaving_the_page(browser: Browser) -> None:
    page = browser.open("/console/archives")
    page.evaluate("window.stayed = true")

    page.fill("#filter-q", CONTRACT)
    page.press("#filter-q", "Enter")
    page.wait_for_url("**/archives?*q=contract*")

    page.wait_for_function("document.querySelectorAll('a.reference').length === 1")
    assert page.evaluate("window.stayed")


def test_pages_go_on_and_back_to_the_first(browser: Browser) -> None:
    page = browser.open("/console/archives?limit=2")
    first = references(browser)

    browser.follow(page.get_by_role("link", name="Next page"))
    rest = references(browser)
    browser.follow(page.get_by_role("link", name="First page"))

    assert sorted([*first, *rest]) == sorted([PLAIN, CONTRACT, HOSTILE_REFERENCE.replace("\u202e", "⟨U+202E⟩")])
    assert references(browser)[:2] == first


def test_plan_of_a_rerun_names_the_filter_and_the_person(console: Console, person: httpx.Client) -> None:
    answer = posted(person, "/console/archives/plan", {"q": CONTRACT, "state": ""})

    assert answer.status_code == 303, answer.text
    path, _, bulk_id = answer.headers["location"].rpartition("/")
    assert path == "/console/bulk"
    with installed(console.folder, **console.settings):
        plan = batches.view(bulk_id)
    assert (plan.by, plan.planned, plan.state) == (f"console ({PERSON})", 1, "planned")
    assert plan.filter["q"] == CONTRACT


@pytest.mark.parametrize("path", ["plan", "export"])
def test_wrong_filter_plans_and_exports_nothing(person: httpx.Client, path: str) -> None:
    assert posted(person, f"/console/archives/{path}", {"state": "x"}).status_code == 422


def test_export_has_every_match_and_no_formula(person: httpx.Client) -> None:
    answer = posted(person, "/console/archives/export", {})

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {each["reference"] for each in rows} == {PLAIN, CONTRACT, HOSTILE_REFERENCE}
    assert answer.headers["content-disposition"].startswith('attachment; filename="archives-')
    assert not [each for each in rows if each["template_id"].startswith(("=", "+", "-", "@"))]


class TestColumns:
    def test_are_kept_in_the_browser_until_the_usual_columns_are_asked_for(self, person: httpx.Client) -> None:
        usual = titles(person, "/console/archives")

        chosen = posted(
            person, "/console/columns", {"column": ["source", "completed_at"], "then": "/console/archives?q=a"}
        )
        kept = titles(person, "/console/archives")
        posted(person, "/console/columns", {"default": "yes", "then": "/console/archives"})

        assert (chosen.status_code, chosen.headers["location"]) == (303, "/console/archives?q=a")
        assert kept == ["Reference", "Source", "Completed"]
        assert titles(person, "/console/archives") == usual
        assert usual == ["Reference", "State", "Process", "Template", "Received", "Files", "Remarks"]

    def test_never_leave_out_the_reference(self, person: httpx.Client) -> None:
        posted(person, "/console/columns", {"then": "/console/archives"})

        assert titles(person, "/console/archives") == ["Reference"]

    def test_that_no_person_of_this_installation_chose_do_not_count(self, person: httpx.Client) -> None:
        person.cookies.set("cellar_columns", "source.forged", path="/console")

        assert "State" in titles(person, "/console/archives")

    def test_of_a_link_stay_for_the_next_page(self, person: httpx.Client) -> None:
        page = person.get("/console/archives?column=source&column=nonsense&limit=1").text
        following = re.search('href="([^"]*)" rel="next"', page)
        assert following

        assert titles(person, following[1].replace("&amp;", "&")) == ["Reference", "Source"]

    def test_need_a_form_of_the_console(self, person: httpx.Client) -> None:
        assert person.post("/console/columns", data={"column": "source"}).status_code == 403

    def test_are_chosen_with_the_filters_that_are_set(self, browser: Browser) -> None:
        page = browser.open(f"/console/archives?q={CONTRACT}")

        page.get_by_text("Columns", exact=True).click()
        page.get_by_label("Completed", exact=True).check()
        browser.follow(page.get_by_role("button", name="Show these columns"))
        shown = page.locator("main th").all_text_contents()
        found = references(browser)
        page.get_by_text("Columns", exact=True).click()
        browser.follow(page.get_by_role("button", name="Usual columns"))

        assert "Completed" in shown
        assert found == [CONTRACT]
        assert "Completed" not in page.locator("main th").all_text_contents()


def test_choices_of_discrepancies_and_warnings_have_words_and_codes(person: httpx.Client) -> None:
    page = person.get("/console/archives").text

    assert ">The payment was refunded. (REFUNDED)</option>" in page
    assert ">An attached file is empty. (ATTACHMENT_EMPTY)</option>" in page
    assert ">Failed</option>" in page


def test_hostile_search_is_text(browser: Browser) -> None:
    page = browser.open("/console/archives")

    page.fill("#search", SCRIPT)
    page.press("#search", "Enter")
    page.wait_for_url("**q=*")

    assert page.locator("#filter-q").input_value() == SCRIPT
    assert page.title() == "Archives · cellar"
