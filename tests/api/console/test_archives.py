"""The page of archives: filters, keyset pages, columns, saved views, and what is done with all that match."""

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from sqlmodel import col, select

from adapters.database.transactions import writing
from adapters.search import entries
from adapters.tables.people import saved_views
from api.console.words.telling import value_text
from models.access import CELLAR, AccessRow, Role
from models.people import SavedViewRow
from models.search import DerivedRow
from models.views.archives.archives import ListQuery
from services import derived
from services.access import tokens
from services.batches import batches
from services.views import archive_view
from tests.api.console.conftest import CONTRACT, PERSON, PLAIN, Browser, Console, posted, references
from tests.api.console.hostile import FIELDS, HOSTILE_REFERENCE, SCRIPT
from tests.installations import installed
from tests.records import all_of


def titles(person: httpx.Client, path: str) -> list[str]:
    """Return the titles of the columns of a list."""
    return re.findall('<th scope="col">([^<]*)</th>', person.get(path).text)


def test_form_has_a_field_for_every_filter_of_the_api(browser: Browser) -> None:
    page = browser.open("/console/archives")

    names = page.locator("#filters").evaluate("form => [...form.elements].map(field => field.name).filter(Boolean)")

    assert set(names) == set(ListQuery.model_fields) - {"cursor", "limit", "references"}


FOUND = {
    f"q={CONTRACT}": [CONTRACT],
    "discrepancy=AMOUNT_MISMATCH": [CONTRACT],
    "reference=plain&state=&q=&attention=": [PLAIN],
    "label=Marker-314159%3DMarker-314159": [CONTRACT],
    "received_after=2001-01-01T00:00&received_before=2001-01-02T00:00": [],
}
WRONG = ("state=x", "process_number=many", "received_after=soon", "label=none", "cursor=x")


def test_filters_of_an_address_are_those_of_the_api_and_a_wrong_one_is_said_and_finds_nothing(
    person: httpx.Client,
) -> None:
    for query, found in (FOUND | {each: [] for each in WRONG}).items():
        page = person.get(f"/console/archives?{query}").text
        assert (query, re.findall('data-reference="([^"]*)"', page)) == (query, found)
        assert ('role="alert"' in page) == (query in WRONG), query


def test_search_says_how_many_archives_are_not_indexed_until_all_are(console: Console, person: httpx.Client) -> None:
    said = "Archives that a search may miss until they are indexed: 1"
    with installed(console.folder, **console.settings), writing() as session:
        session.merge(DerivedRow(kind=derived.SEARCH, version=entries.version(session), last="", lacking=1))
    assert said in person.get("/console/archives?state=failed").text

    with installed(console.folder, **console.settings):
        while derived.fill():
            pass
    assert said not in person.get("/console/archives?state=failed").text


def test_search_as_you_type_says_where_the_words_stand_and_keeps_the_focus(browser: Browser) -> None:
    page = browser.open("/console/archives?state=completed")

    page.locator("#search").press_sequentially("contr 10")
    page.locator("mark").first.wait_for()
    page.locator("tr[data-reference]").nth(1).wait_for(state="detached")

    assert references(browser.page) == [CONTRACT]
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
    assert references(browser.page) == [CONTRACT]


def test_what_is_typed_into_a_filter_is_searched_on_the_same_page_and_the_later_of_day_and_words_counts(
    browser: Browser,
) -> None:
    page = browser.open("/console/archives?received_after=2026-01-02")
    page.evaluate("window.stayed = true")
    page.locator(".drawer summary").click()
    day, words = page.locator(".moment [name=received_after]").all()
    assert (day.input_value(), words.input_value()) == ("2026-01-02", "")

    words.fill("yesterday")
    words.dispatch_event("change")
    page.locator(".chip", has_text="yesterday").wait_for()
    page.wait_for_url("**/archives?*received_after=yesterday*")

    assert (day.input_value(), page.locator(".chip").count()) == ("", 1)
    assert page.evaluate("window.stayed")


def test_facets_count_what_matches_and_lead_to_it(browser: Browser) -> None:
    page = browser.open("/console/archives")
    standing = page.locator("#facets a", has_text="Verified")
    standing.wait_for()
    count = int(standing.locator(".count").inner_text())
    assert browser.violations() == []

    browser.follow(standing)

    assert page.url.endswith("standing=verified")
    assert len(references(browser.page)) == count > 0


def test_arrivals_are_counted_without_renewing_the_login(person: httpx.Client) -> None:
    since = "2001-01-01T00:00:00%2B00:00"
    answer = person.get(f"/console/arrivals?since={since}&q={CONTRACT}", headers={"hx-trigger": "arrivals"})

    assert "One new archive" in answer.text
    assert "set-cookie" not in answer.headers
    assert person.get(f"/console/arrivals?since={since}&q=nobody").text.strip() == ""
    assert "every 15s" in person.get("/console/archives").text


def test_pages_go_on_and_back_to_the_first(browser: Browser) -> None:
    page = browser.open("/console/archives?limit=2")
    first = references(browser.page)

    browser.follow(page.get_by_role("link", name="Next page"))
    rest = references(browser.page)
    browser.follow(page.get_by_role("link", name="First page"))

    assert sorted([*first, *rest]) == sorted([PLAIN, CONTRACT, HOSTILE_REFERENCE])
    assert references(browser.page)[:2] == first


def test_plan_of_a_rerun_names_the_filter_and_the_person_and_a_wrong_or_empty_choice_does_nothing(
    console: Console, person: httpx.Client
) -> None:
    answer = posted(person, "/console/archives/plan", {"q": CONTRACT, "state": "", "all": "yes"})

    path, _, bulk_id = answer.headers["location"].rpartition("/")
    assert (answer.status_code, path) == (303, "/console/bulk")
    with installed(console.folder, **console.settings):
        plan = batches.view(bulk_id)
    assert (plan.by, plan.planned, plan.state, plan.filter["q"]) == (PERSON, 1, "planned", CONTRACT)
    wrong: list[dict[str, Any]] = [{"state": "x", "all": "yes"}, {"state": "completed"}, {"chosen": ["a"] * 501}]
    for does, form in product(("plan", "export", "bags", "explain", "erase"), wrong):
        said = {"why": "a reason", "ground": "a reason", **form}
        assert posted(person, f"/console/archives/{does}", said).status_code == 422, (does, form)


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


def test_columns_are_kept_in_the_browser_until_the_usual_ones_are_asked_for_and_never_without_the_title(
    person: httpx.Client,
) -> None:
    usual, then = ["Archive", "State", "Received", "Remarks"], "/console/archives?q=a"
    assert titles(person, "/console/archives") == usual
    for form, kept in (
        ({"column": ["source", "completed_at"]}, ["Archive", "Source", "Completed"]),
        ({}, ["Archive"]),
        ({"default": "yes"}, usual),
    ):
        chosen = posted(person, "/console/columns", {**form, "then": then})
        assert (chosen.status_code, chosen.headers["location"]) == (303, then)
        assert titles(person, "/console/archives") == kept
    assert person.post("/console/columns", data={"column": "source"}).status_code == 403
    page = person.get("/console/archives?column=source&column=nonsense&limit=1").text
    [following] = re.findall('href="([^"]*)" rel="next"', page)
    assert titles(person, following.replace("&amp;", "&")) == ["Archive", "Source"]  # a link's stay for the next page
    person.cookies.set("cellar_columns", "source.forged", path="/console")
    assert titles(person, "/console/archives") == usual


def test_columns_are_chosen_with_the_filters_that_are_set(browser: Browser) -> None:
    page = browser.open(f"/console/archives?q={CONTRACT}")

    for button, is_shown in (("Show these columns", True), ("Usual columns", False)):
        page.get_by_text("Columns", exact=True).click()
        page.get_by_label("Completed", exact=True).check()
        browser.follow(page.get_by_role("button", name=button))
        assert ("Completed" in page.locator("main th").all_text_contents()) == is_shown
        assert references(page) == [CONTRACT]


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


def test_search_that_finds_nothing_says_what_is_searched_and_choices_have_words_and_codes(browser: Browser) -> None:
    for language, said in (("en", "Searched: Reference, Process number"), ("he", "החיפוש נעשה ב: מזהה, מספר תהליך")):
        page = browser.open("/console/archives?q=nothing-has-this", language)
        assert said in page.locator("#results").inner_text()
        assert page.locator("select#filter-template option").count() > 1
        assert page.locator("select#filter-source option[value=default]").count() == 1
    choices = browser.open("/console/archives").locator("option").all_text_contents()
    assert {"The payment was refunded. (REFUNDED)", "An attached file is empty. (ATTACHMENT_EMPTY)"} < set(choices)


def test_hostile_search_is_text(browser: Browser) -> None:
    page = browser.open("/console/archives")

    page.fill("#search", SCRIPT)
    page.press("#search", "Enter")
    page.wait_for_url("**q=*")

    assert page.locator("#search").input_value() == SCRIPT
    assert page.title() == "Archives · cellar"


@pytest.fixture
def clerk(console: Console) -> Iterator[httpx.Client]:
    """A person who saves views. Afterwards there is none."""
    with console.person() as client:
        yield client
        for path in removals(client):
            posted(client, path, {})


def views(person: httpx.Client) -> list[str]:
    """Return the addresses of the saved views."""
    page = person.get("/console/archives").text
    return [html.unescape(url) for url in re.findall('<a class="state[^"]*" href="([^"]*)"', page)]


def removals(person: httpx.Client) -> list[str]:
    pages = "".join(person.get(url).text for url in views(person))
    return re.findall('action="(/console/views/[0-9a-f]+/remove)"', pages)


def saved(person: httpx.Client, name: str, **fields: Any) -> httpx.Response:
    return posted(person, "/console/views", {"view_name": name, **fields})


def test_view_has_filters_and_columns_for_all_people_until_one_removes_it_and_who_did_it_is_kept(
    console: Console, clerk: httpx.Client
) -> None:
    answer = saved(clerk, "  חוזים   of Haifa ", q=CONTRACT, state="", column=["source", "files"])

    with console.person() as other:
        [url] = views(other)
        page = other.get(url).text
    assert answer.headers["location"] == url == f"/console/archives?q={CONTRACT}&column=source&column=files"
    assert re.findall('<th scope="col">([^<]*)</th>', page) == ["Archive", "Source", "Files"]
    assert 'aria-current="page"><bdi>חוזים of Haifa</bdi>' in page
    taken = saved(clerk, "חוזים of Haifa", q="second")
    assert (taken.status_code, "A view has this name already." in taken.text) == (422, True)
    assert views(clerk) == [url]

    [path] = removals(clerk)
    answers = [posted(clerk, path, {}) for _ in range(2)]
    assert [(each.status_code, each.headers["location"]) for each in answers] == [(303, "/console/archives")] * 2
    assert views(clerk) == []
    with installed(console.folder, **console.settings):
        rows = all_of(select(SavedViewRow).where(SavedViewRow.name == "חוזים of Haifa"))
    assert [(each.saved_by, each.ended_by) for each in rows] == [(PERSON, PERSON)]


def test_view_that_cannot_be_saved_is_refused_one_whose_filter_became_wrong_can_be_removed_and_a_name_is_text(
    console: Console, clerk: httpx.Client
) -> None:
    for name, fields in (
        (" ", {"q": "a"}),
        ("n" * 61, {"q": "a"}),
        ("a\u202eb", {"q": "a"}),
        ("wrong filter", {"state": "x"}),
        ("long", {"q": "a" * 4000}),
    ):
        assert saved(clerk, name, **fields).status_code == 422
    assert views(clerk) == []
    name = SCRIPT[:60].strip()
    saved(clerk, name, q="stale")
    with installed(console.folder, **console.settings):
        [row] = saved_views.shown()
        row.view_id, row.name, row.query = "0" * 32, "shredded", "state=shredded"
        saved_views.save(row)

    page = clerk.get("/console/archives?state=shredded").text

    assert "A filter is not valid, so nothing was searched." in page
    assert f'action="/console/views/{"0" * 32}/remove"' in page
    assert (name in page, "&lt;script&gt;" in page) == (False, True)


def test_person_saves_finds_and_removes_a_view_in_hebrew(browser: Browser, clerk: httpx.Client) -> None:
    assert clerk
    path = f"/console/archives?q={CONTRACT}"
    page = browser.open(path, "he")
    page.get_by_text("שמירת החיפוש", exact=True).click()
    page.get_by_label("שם התצוגה, שכולם רואים").fill("חוזים")
    browser.follow(page.get_by_role("button", name="שמירת המסננים והעמודות"))
    browser.open(path, "he")
    assert (browser.violations(), browser.overflow_px()) == ([], 0)
    browser.follow(browser.open("/console/archives", "he").get_by_role("link", name="חוזים"))
    assert page.locator("tr[data-reference]").count() == 1
    page.fill("#search", "another")
    page.press("#search", "Enter")
    page.locator("#views [aria-current]").wait_for(state="detached")
    browser.follow(page.get_by_role("link", name="חוזים"))
    assert browser.violations() == []
    browser.follow(page.get_by_role("button", name="הסרה של התצוגה לכולם: חוזים"))

    page.wait_for_url("**/console/archives")
    assert page.get_by_role("link", name="חוזים").count() == 0
