"""People name a template on its page, by keyboard too; titles, fields and exports say it; hostile names are text."""

import re
from collections.abc import Iterator

import httpx
import pytest

from models.access import CELLAR
from models.templates import Names, TemplateWords
from services import derived, templates
from tests.api.console.conftest import CONTRACT, PERSON, Browser, Console, posted
from tests.api.console.hostile import HOSTILE_REFERENCE, REVERSING, SCRIPT
from tests.installations import installed
from tests.records import NOON

TEMPLATE = "9fa70d4ccea84262b1ed2308a07a3fb4"
PATH, DOSSIER = f"/console/templates/{TEMPLATE}", f"/console/archives/{CONTRACT}"
TITLE = "Marker-314159 · Loan agreement · ₪21.01 verified"
STANDARD = {"title": ["person", "template", "payment"]}


@pytest.fixture
def person(console: Console) -> Iterator[httpx.Client]:
    """A person who is signed in. Afterwards nobody has named the template."""
    with console.person() as client:
        yield client
        name(console, TemplateWords())
        assert posted(client, PATH, STANDARD).status_code == 303


def test_name_that_is_typed_is_the_title_of_dossier_and_tab_and_stands_beside_its_fields(
    console: Console, browser: Browser, person: httpx.Client
) -> None:
    page = browser.open("/console/")
    page.keyboard.press("g")
    with page.expect_navigation():
        page.keyboard.press("t")
    browser.follow(page.locator(f"main a.reference[href$='{TEMPLATE}']"))
    page.get_by_label("Name in English", exact=True).focus()
    page.keyboard.type("Loan agreement")
    page.get_by_label("Name in Hebrew: field:SOMEFIELD1").focus()
    page.keyboard.type("סכום ההלוואה")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "Saved." in page.locator("main").inner_text()

    page = browser.open(DOSSIER)
    shown = [page.title(), page.locator("h1").inner_text(), page.locator("#form").inner_text()]
    assert re.sub("[\u2066-\u2069]", "", shown[0]) == f"{TITLE} · cellar"
    assert shown[1] == TITLE
    assert "סכום ההלוואה" in shown[2]
    assert CONTRACT in page.locator("#summary").inner_text()
    filled = browser.open("/console/tables/payments").locator("tr", has_text="amount_minor").first.locator("progress")
    assert filled.get_attribute("max") == "1"
    assert ",Loan agreement," in posted(person, "/console/archives/export", {"reference": CONTRACT, "all": "yes"}).text
    with installed(console.folder, **console.settings):
        assert templates.view(TEMPLATE, CELLAR).changed_by == PERSON


def name(console: Console, words: TemplateWords) -> None:
    with installed(console.folder, **console.settings):
        templates.name({TEMPLATE: words}, "a test", NOON)


def test_form_keeps_what_it_does_not_change_and_says_what_is_wrong(console: Console, person: httpx.Client) -> None:
    field, label, open_, chosen = "field:SOMEFIELD1", "label:CUSTOMER_TAG", "field:SOMEFIELD2", "field:SOMEFIELD3"
    name(console, TemplateWords(title=["payment", "label:OLD", "template", "person"], facets=["label:OLD"]))
    named = STANDARD | {
        "he": "חוזה",
        f"en {label}": "Customer",
        f"he=SOMEVALUE3 {chosen}": "לקוח",
        "facet": [label],
        f"personal {field}": "yes",
        f"personal {open_}": "no",
        "retention": "erase",
        "retention_number": "7",
        "retention_unit": "years",
        "retention_field": "SOMEFIELD1",
    }
    assert posted(person, PATH, named).status_code == 303
    for wrong in (
        {"facet": [field], f"personal {field}": "yes"},
        {"en": "W" * 101},
        {"title": ["colour"]},
        {"retention": "erase", "retention_number": "", "retention_unit": "years"},
    ):
        assert posted(person, PATH, STANDARD | wrong).status_code == 422

    with installed(console.folder, **console.settings):
        words = templates.view(TEMPLATE, CELLAR).words
    assert words.model_dump() == {
        "name": {"en": None, "he": "חוזה"},
        "parts": {
            field: {"name": {"en": None, "he": None}, "personal": True, "values": {}},
            open_: {"name": {"en": None, "he": None}, "personal": False, "values": {}},
            chosen: {
                "name": {"en": None, "he": None},
                "personal": None,
                "values": {"SOMEVALUE3": {"en": None, "he": "לקוח"}},
            },
            label: {"name": {"en": "Customer", "he": None}, "personal": None, "values": {}},
        },
        "title": ["payment", "label:OLD", "template", "person"],
        "facets": ["label:OLD", label],
        "retention": "erase after 7 years from SOMEFIELD1",
    }
    assert re.search(r'<option value="SOMEFIELD1" selected>', person.get(PATH).text)


def test_what_is_due_by_its_rule_stands_on_the_overview(console: Console, person: httpx.Client) -> None:
    for words in (TemplateWords(name=Names(en="Loan"), retention="review after 1 year"), TemplateWords()):
        name(console, words)
        with installed(console.folder, **console.settings):
            while derived.fill():
                pass
        shown = re.sub("[\u2066-\u2069]", "", person.get("/console/").text)
        link = '<a href="/console/archives?due=review">Review</a>'
        assert (link in shown) == (words.retention is not None)


@pytest.mark.parametrize("language", ["en", "he"])
def test_hostile_names_are_text_and_the_layout_stays_whole(
    browser: Browser, person: httpx.Client, language: str
) -> None:
    assert posted(person, PATH, STANDARD | {"en": SCRIPT, "he": f"{REVERSING}{'ש' * 60}"}).status_code == 303

    for path in ("/console/templates", PATH, DOSSIER, "/console/archives"):
        page = browser.open(path, language)
        assert browser.overflow_px() == 0, path
        assert page.title() != "broken"
        assert page.locator("main img[src=x], main script").count() == 0
        assert "\u202e" not in page.title()


def test_unknown_template_is_not_found(person: httpx.Client) -> None:
    assert person.get("/console/templates/unknown").status_code == 404
    assert person.get(f"/console/templates/{HOSTILE_REFERENCE[:5]}%2Fx").status_code == 404
