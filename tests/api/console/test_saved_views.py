"""Saved views of the page of archives: all people share them, and each has who saved or removed it."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import httpx
import pytest
from sqlmodel import select

from adapters.database.transactions import reading
from adapters.tables.people import saved_views
from models.people import SavedViewRow
from tests.api.console.conftest import CONTRACT, PERSON, Browser, Console, posted
from tests.api.console.hostile import SCRIPT
from tests.installations import installed

BY = PERSON
LIST = "/console/archives"


@pytest.fixture
def person(console: Console) -> Iterator[httpx.Client]:
    with console.person() as client:
        yield client
        for path in re.findall('action="(/console/views/[0-9a-f]+/remove)"', every_view(client)):
            posted(client, path, {})


def every_view(person: httpx.Client) -> str:
    """Return the pages of all views, one after the other."""
    return "".join(person.get(url).text for url in links(person))


def links(person: httpx.Client, path: str = LIST) -> list[str]:
    """Return the addresses of the saved views."""
    return [unescape(url) for url in re.findall('<a class="state[^"]*" href="([^"]*)"', person.get(path).text)]


def saved(person: httpx.Client, name: str, **fields: Any) -> httpx.Response:
    return posted(person, "/console/views", {"view_name": name, **fields})


def rows(console: Console, name: str) -> list[SavedViewRow]:
    """Return all views that ever had a name, the oldest first."""
    with installed(console.folder, **console.settings), reading() as session:
        named = select(SavedViewRow).where(SavedViewRow.name == name)
        return list(session.exec(named.order_by(SavedViewRow.saved_at)))  # type: ignore[arg-type]  # a column


def test_view_has_filters_and_columns_for_all_people_and_who_saved_it(console: Console, person: httpx.Client) -> None:
    answer = saved(person, "  חוזים   of Haifa ", q=CONTRACT, state="", column=["source", "files"])

    with console.person() as other:
        [url] = links(other)
        page = other.get(url).text
    [row] = rows(console, "חוזים of Haifa")
    assert answer.headers["location"] == url == f"{LIST}?q={CONTRACT}&column=source&column=files"
    assert re.findall('<th scope="col">([^<]*)</th>', page) == ["Archive", "Source", "Files"]
    assert 'aria-current="page"><bdi>חוזים of Haifa</bdi>' in page
    assert (row.saved_by, row.ended_by) == (BY, None)


def test_name_that_is_taken_is_refused_with_what_to_do(console: Console, person: httpx.Client) -> None:
    saved(person, "taken", q="first", column="source")

    answer = saved(person, "taken", q="second", column="source")

    assert (answer.status_code, "A view has this name already." in answer.text) == (422, True)
    assert links(person) == [f"{LIST}?q=first&column=source"]
    assert len(rows(console, "taken")) == 1


def test_view_is_removed_for_all_people_and_who_did_it_is_kept(console: Console, person: httpx.Client) -> None:
    saved(person, "old", q="old")
    [path] = re.findall('action="(/console/views/[0-9a-f]+/remove)"', every_view(person))

    answers = [posted(person, path, {}), posted(person, path, {})]

    assert [(each.status_code, each.headers["location"]) for each in answers] == [(303, LIST)] * 2
    assert links(person) == []
    assert [each.ended_by for each in rows(console, "old")] == [BY]


@pytest.mark.parametrize(
    "form",
    [
        {"view_name": " ", "q": "a"},
        {"view_name": "n" * 61, "q": "a"},
        {"view_name": "a\u202eb", "q": "a"},
        {"view_name": "wrong filter", "state": "x"},
        {"view_name": "long", "q": "a" * 4000},
    ],
)
def test_what_cannot_be_saved_is_refused_with_the_reason(person: httpx.Client, form: dict[str, str]) -> None:
    answer = posted(person, "/console/views", form)

    assert answer.status_code == 422
    assert links(person) == []


def test_view_whose_filters_are_no_longer_valid_says_so_and_can_be_removed(
    console: Console, person: httpx.Client
) -> None:
    saved(person, "stale", q="stale")
    with installed(console.folder, **console.settings):
        [row] = saved_views.shown()
        row.view_id, row.name, row.query = "0" * 32, "shredded", "state=shredded"
        saved_views.save(row)

    page = person.get(f"{LIST}?state=shredded").text

    assert "A filter is not valid, so nothing was searched." in page
    assert f'action="/console/views/{"0" * 32}/remove"' in page


def test_hostile_name_is_text(person: httpx.Client) -> None:
    name = SCRIPT[:60].strip()
    saved(person, name, q="a")

    page = person.get(LIST).text

    assert name not in page
    assert "&lt;" in page


def test_person_saves_finds_and_removes_a_view_in_hebrew(browser: Browser, person: httpx.Client) -> None:
    page = browser.open(f"{LIST}?q={CONTRACT}", "he")

    page.get_by_text("שמירת החיפוש", exact=True).click()
    page.get_by_label("שם התצוגה, שכולם רואים").fill("חוזים")
    browser.follow(page.get_by_role("button", name="שמירת המסננים והעמודות"))
    browser.open(f"{LIST}?q={CONTRACT}", "he")
    assert browser.violations() == []
    assert browser.overflow_px() == 0
    browser.follow(browser.open(LIST, "he").get_by_role("link", name="חוזים"))
    assert page.locator("tr[data-reference]").count() == 1
    page.fill("#search", "another")
    page.press("#search", "Enter")
    page.locator("#views [aria-current]").wait_for(state="detached")
    browser.follow(page.get_by_role("link", name="חוזים"))
    assert browser.violations() == []
    browser.follow(page.get_by_role("button", name="הסרה של התצוגה לכולם: חוזים"))

    page.wait_for_url(f"**{LIST}")
    assert page.get_by_role("link", name="חוזים").count() == 0
