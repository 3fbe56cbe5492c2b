"""The page of archives: filters, keyset pages, and what is done with all that match."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from sqlmodel import col, select

from adapters.database.transactions import writing
from adapters.search import entries
from api.console.words.telling import value_text
from models.access import CELLAR, AccessRow, Role
from models.search import DerivedRow
from models.views.archives.archives import ListQuery
from services import derived
from services.access import tokens
from services.batches import batches
from services.views import archive_view
from tests.api.console.conftest import CONTRACT, PERSON, PLAIN, Browser, Console, posted
from tests.api.console.hostile import FIELDS, HOSTILE_REFERENCE, SCRIPT
from tests.installations import installed
from tests.records import all_of


@pytest.fixture
def person(console: Console) -> Iterator[httpx.Client]:
    with console.person() as client:
        yield client


def references(browser: Browser) -> list[str]:
    found: list[str] = browser.page.locator("tr[data-reference]").evaluate_all(
        "rows => rows.map(row => row.dataset.reference)"
    )
    return found


def titles(person: httpx.Client, path: str) -> list[str]:
    """Return the titles of the columns of a list."""
    return re.findall('<th scope="col">([^<]*)</th>', person.get(path).text)


def test_form_has_a_field_for_every_filter_of_the_api(browser: Browser) -> None:
    page = browser.open("/console/archives")

    names = page.locator("#filters").evaluate("form => [...form.elements].map(field => field.name).filter(Boolean)")

    assert set(names) == set(ListQuery.model_fields) - {"cursor", "limit", "references"}


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

    page.locator(".drawer summary").click()
    page.fill("[name=process_number]", "100")
    page.locator("[name=process_number]").dispatch_event("change")
    page.wait_for_url("**/archives?*process_number=100*")
    page.locator(".chip", has_text="Process number").wait_for()

    assert page.evaluate("window.stayed")


def test_search_as_you_type_says_where_the_words_stand_and_keeps_the_focus(browser: Browser) -> None:
    page = browser.open("/console/archives?state=completed")

    page.locator("#search").press_sequentially("contr 10")
    page.locator("mark").first.wait_for()
    page.locator("tr[data-reference]").nth(1).wait_for(state="detached")

    assert references(browser) == [CONTRACT]
    assert page.locator("mark").all_inner_texts() == ["contr", "10"]
    assert page.locator(".match").all_inner_texts() == ["contract · Reference", "100 · Process number"]
    assert page.evaluate("document.activeElement.id") == "search"
    assert page.url.endswith("/archives?q=contr%2010&state=completed")
    assert browser.violations() == []


def test_each_filter_is_a_chip_that_removes_it(browser: Browser) -> None:
    page = browser.open(f"/console/archives?q={CONTRACT}&state=failed&label=a%3Db&sort=deadline")
    texts = [" ".join(each.split()) for each in page.locator(".chip").all_inner_texts()]
    assert texts == ["Remove the filter State: Failed", "Remove the filter Label: a=b"]

    browser.follow(page.locator(".chip", has_text="Failed"))
    browser.follow(page.locator(".chip"))

    assert page.url.endswith(f"/archives?q={CONTRACT}&sort=deadline")
    assert references(browser) == [CONTRACT]


def test_day_and_words_say_the_same_time_and_the_later_counts(browser: Browser) -> None:
    page = browser.open("/console/archives?received_after=2026-01-02")
    page.locator(".drawer summary").click()
    day, words = page.locator(".moment [name=received_after]").all()
    assert (day.input_value(), words.input_value()) == ("2026-01-02", "")

    words.fill("yesterday")
    words.dispatch_event("change")
    page.locator(".chip", has_text="yesterday").wait_for()

    assert (day.input_value(), page.locator(".chip").count()) == ("", 1)


def test_facets_count_what_matches_and_lead_to_it(browser: Browser) -> None:
    page = browser.open("/console/archives")
    standing = page.locator("#facets a", has_text="Verified")
    standing.wait_for()
    count = int(standing.locator(".count").inner_text())
    assert browser.violations() == []

    browser.follow(standing)

    assert page.url.endswith("standing=verified")
    assert len(references(browser)) == count > 0


def test_arrivals_are_counted_without_renewing_the_login(person: httpx.Client) -> None:
    since = "2001-01-01T00:00:00%2B00:00"
    answer = person.get(f"/console/arrivals?since={since}&q={CONTRACT}", headers={"hx-trigger": "arrivals"})

    assert "One new archive" in answer.text
    assert "set-cookie" not in answer.headers
    assert person.get(f"/console/arrivals?since={since}&q=nobody").text.strip() == ""
    assert "every 15s" in person.get("/console/archives").text


def test_pages_go_on_and_back_to_the_first(browser: Browser) -> None:
    page = browser.open("/console/archives?limit=2")
    first = references(browser)

    browser.follow(page.get_by_role("link", name="Next page"))
    rest = references(browser)
    browser.follow(page.get_by_role("link", name="First page"))

    assert sorted([*first, *rest]) == sorted([PLAIN, CONTRACT, HOSTILE_REFERENCE])
    assert references(browser)[:2] == first


def test_plan_of_a_rerun_names_the_filter_and_the_person(console: Console, person: httpx.Client) -> None:
    answer = posted(person, "/console/archives/plan", {"q": CONTRACT, "state": "", "all": "yes"})

    assert answer.status_code == 303, answer.text
    path, _, bulk_id = answer.headers["location"].rpartition("/")
    assert path == "/console/bulk"
    with installed(console.folder, **console.settings):
        plan = batches.view(bulk_id)
    assert (plan.by, plan.planned, plan.state) == (PERSON, 1, "planned")
    assert plan.filter["q"] == CONTRACT


def test_erasure_is_planned_with_a_ground_and_confirmed_by_another_person(
    console: Console, person: httpx.Client, browser: Browser
) -> None:
    answer = posted(person, "/console/archives/erase", {"chosen": [PLAIN], "ground": "ביקש האדם"})
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"]
    page = browser.open(path, "he")  # the planner's
    assert page.locator("form[action$='/confirm']").count() == 0
    assert page.locator("text=תכננתם את המחיקה הזו").count() == 1
    assert (browser.violations(), browser.overflow_px()) == ([], 0)
    acts = path.replace("/bulk/", "/erasures/")
    assert posted(person, f"{acts}/confirm", {}).status_code == 409
    assert posted(person, f"{path}/confirm", {}).status_code == 404
    with installed(console.folder, **console.settings):
        token = tokens.add("second", Role.OPERATOR, None, None, "a test", datetime.now(UTC)).token

    with console.visitor() as other:
        posted(other, "/console/login", {"token": token})
        assert f'action="{acts}/confirm"' in other.get(path).text
        assert posted(other, f"{acts}/confirm", {}).status_code == 303
        assert posted(other, f"{acts}/abort", {}).status_code == 303
        shown = other.get(path).text

    assert "Aborted" in shown
    assert PLAIN in browser.open(path).content()
    assert browser.open(f"/console/archives/{PLAIN}").locator("#ground").count() == 1


@pytest.mark.parametrize("path", ["plan", "export", "bags", "explain", "erase"])
@pytest.mark.parametrize("form", [{"state": "x", "all": "yes"}, {"state": "completed"}, {"chosen": ["a"] * 501}])
def test_wrong_filter_and_an_empty_choice_do_nothing(person: httpx.Client, path: str, form: dict[str, Any]) -> None:
    assert (
        posted(person, f"/console/archives/{path}", {"why": "a reason", "ground": "a reason", **form}).status_code
        == 422
    )


def test_export_has_every_match_with_its_form_fields_and_no_formula(console: Console, person: httpx.Client) -> None:
    answer = posted(person, "/console/archives/export", {"all": "yes"})

    csv.field_size_limit(len(answer.content))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {each["reference"] for each in rows} == {PLAIN, CONTRACT, HOSTILE_REFERENCE}
    assert answer.headers["content-disposition"].startswith('attachment; filename="archives-')
    assert not [value for each in rows for value in each.values() if (value or "").startswith(("=", "+", "-", "@"))]
    blank = posted(person, "/console/archives/export", {"chosen": "\N{EM SPACE}"})
    assert len(blank.text.splitlines()) == 1
    named = posted(person, "/console/archives/export", {"all": "yes", "references": [PLAIN, "nobody"]}).text
    assert [each["reference"] for each in csv.DictReader(io.StringIO(named.lstrip("\ufeff")))] == [PLAIN]
    [plain] = [each for each in rows if each["reference"] == PLAIN]
    with installed(console.folder, **console.settings):
        view = archive_view.archive(PLAIN, CELLAR, archive_view.WHOLE)
    assert view
    field = view.fields[0]
    assert plain[f"field {field.id}"] == value_text(field.value)
    [hostile] = [each for each in rows if each["reference"] == HOSTILE_REFERENCE]
    assert len(json.loads(hostile["other_fields"])) >= FIELDS - 500  # which are columns


class TestColumns:
    def test_are_kept_in_the_browser_until_the_usual_columns_are_asked_for(self, person: httpx.Client) -> None:
        usual = titles(person, "/console/archives")

        chosen = posted(
            person, "/console/columns", {"column": ["source", "completed_at"], "then": "/console/archives?q=a"}
        )
        kept = titles(person, "/console/archives")
        posted(person, "/console/columns", {"default": "yes", "then": "/console/archives"})

        assert (chosen.status_code, chosen.headers["location"]) == (303, "/console/archives?q=a")
        assert kept == ["Archive", "Source", "Completed"]
        assert titles(person, "/console/archives") == usual
        assert usual == ["Archive", "State", "Received", "Remarks"]

    def test_never_leave_out_the_title(self, person: httpx.Client) -> None:
        posted(person, "/console/columns", {"then": "/console/archives"})

        assert titles(person, "/console/archives") == ["Archive"]

    def test_that_no_person_of_this_installation_chose_do_not_count(self, person: httpx.Client) -> None:
        person.cookies.set("cellar_columns", "source.forged", path="/console")

        assert "State" in titles(person, "/console/archives")

    def test_of_a_link_stay_for_the_next_page(self, person: httpx.Client) -> None:
        page = person.get("/console/archives?column=source&column=nonsense&limit=1").text
        following = re.search('href="([^"]*)" rel="next"', page)
        assert following

        assert titles(person, following[1].replace("&amp;", "&")) == ["Archive", "Source"]

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


MAIL = "John@Example.com"
"""The author of the plain archive. Tests of the dossier count what people did with the others."""


def test_person_is_found_by_a_posted_form_and_exported_and_no_address_or_record_says_whom(
    console: Console, browser: Browser, person: httpx.Client
) -> None:
    """Also at 360 px, in Hebrew, in the dark."""
    for language, theme, width in (("en", "light", 1280), ("he", "dark", 360)):
        browser.page.set_viewport_size({"width": width, "height": 740})
        page = browser.open("/console/person", language, theme)
        page.fill("#value-1", MAIL)
        browser.follow(page.locator("main form button").first)

        assert page.url.endswith("/console/person")
        assert page.locator("main td li code").first.inner_text() == "author"
        assert (browser.violations(), browser.overflow_px()) == ([], 0)
    browser.page.set_viewport_size({"width": 1280, "height": 740})
    page.locator("main details summary").click()
    page.fill("#ground", "GDPR, article 17")
    browser.follow(page.locator("main details button"))
    planned = page.url.rpartition("/")[2]

    package = posted(person, "/console/person/export", {"value": [MAIL.lower()]})
    assert package.headers["content-disposition"].startswith('attachment; filename="person-2')
    with ZipFile(io.BytesIO(package.content)) as made:
        assert {"person/index.html", "person/index.he.html"} < set(made.namelist())
        assert MAIL.lower() in made.read("person/index.he.html").decode()
    assert posted(person, "/console/person", {"value": "nobody@example.com"}).text.count("<tr>") == 0
    assert posted(person, "/console/person", {"value": "Dana"}).status_code == 422

    with installed(console.folder, **console.settings):
        assert batches.view(planned).filter["references"] == [PLAIN]
        rows = all_of(select(AccessRow).where(AccessRow.action == "find_person").order_by(col(AccessRow.at).desc()))
    assert [each.detail["searched"].keys() for each in rows[:3]] == [{"value"}] * 3
    assert not any("example" in str(each.model_dump()).lower() for each in rows)


def test_choices_of_discrepancies_and_warnings_have_words_and_codes(person: httpx.Client) -> None:
    page = person.get("/console/archives").text

    assert ">The payment was refunded. (REFUNDED)</option>" in page
    assert ">An attached file is empty. (ATTACHMENT_EMPTY)</option>" in page
    assert ">Failed</option>" in page


def test_a_search_that_finds_nothing_says_what_is_searched_and_templates_and_sources_are_choices(
    browser: Browser,
) -> None:
    for language, said in (("en", "Searched: Reference, Process number"), ("he", "החיפוש נעשה ב: מזהה, מספר תהליך")):
        page = browser.open("/console/archives?q=nothing-has-this", language)
        assert said in page.locator("#results").inner_text()
        assert page.locator("select#filter-template option").count() > 1
        assert page.locator("select#filter-source option[value=default]").count() == 1


def test_hostile_search_is_text(browser: Browser) -> None:
    page = browser.open("/console/archives")

    page.fill("#search", SCRIPT)
    page.press("#search", "Enter")
    page.wait_for_url("**q=*")

    assert page.locator("#search").input_value() == SCRIPT
    assert page.title() == "Archives · cellar"
