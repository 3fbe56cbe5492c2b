"""People name a template on its page, by keyboard too; titles, fields and exports say it; hostile names are text."""

import re
from collections.abc import Iterator

import httpx
import pytest

from models.access import CELLAR
from models.templates import Names, PartWords, TemplateWords
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
def namer(console: Console) -> Iterator[httpx.Client]:
    """A person who is signed in. Afterwards nobody has named the template."""
    with console.person() as client:
        yield client
        name(console, TemplateWords())
        assert posted(client, PATH, STANDARD).status_code == 303


def name(console: Console, words: TemplateWords) -> None:
    with installed(console.folder, **console.settings):
        templates.name({TEMPLATE: words}, "a test", NOON)
        while derived.fill():
            pass


def test_name_that_is_typed_is_the_title_of_dossier_and_tab_and_stands_beside_its_fields(
    console: Console, browser: Browser, namer: httpx.Client
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
    assert ",Loan agreement," in posted(namer, "/console/archives/export", {"reference": CONTRACT, "all": "yes"}).text
    with installed(console.folder, **console.settings):
        assert templates.view(TEMPLATE, CELLAR).changed_by == PERSON


def test_form_keeps_what_it_does_not_change_and_says_what_is_wrong(console: Console, namer: httpx.Client) -> None:
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
    assert posted(namer, PATH, named).status_code == 303
    for wrong in (
        {"facet": [field], f"personal {field}": "yes"},
        {"en": "W" * 101},
        {"title": ["colour"]},
        {"retention": "erase", "retention_number": "", "retention_unit": "years"},
    ):
        assert posted(namer, PATH, STANDARD | wrong).status_code == 422

    with installed(console.folder, **console.settings):
        words = templates.view(TEMPLATE, CELLAR).words
    expected = TemplateWords(
        name=Names(he="חוזה"),
        parts={
            field: PartWords(personal=True),
            open_: PartWords(personal=False),
            chosen: PartWords(values={"SOMEVALUE3": Names(he="לקוח")}),
            label: PartWords(name=Names(en="Customer")),
        },
        title=["payment", "label:OLD", "template", "person"],
        facets=["label:OLD", label],
        retention="erase after 7 years from SOMEFIELD1",
    )
    assert words == expected
    assert re.search(r'<option value="SOMEFIELD1" selected>', namer.get(PATH).text)


def test_what_is_due_by_its_rule_stands_on_the_overview(console: Console, namer: httpx.Client) -> None:
    for words in (TemplateWords(name=Names(en="Loan"), retention="review after 1 year"), TemplateWords()):
        name(console, words)
        shown = re.sub("[\u2066-\u2069]", "", namer.get("/console/").text)
        assert ('<a href="/console/archives?due=review">Review</a>' in shown) == (words.retention is not None)


@pytest.mark.parametrize("language", ["en", "he"])
def test_hostile_names_are_text_and_the_layout_stays_whole(
    browser: Browser, namer: httpx.Client, language: str
) -> None:
    assert posted(namer, PATH, STANDARD | {"en": SCRIPT, "he": f"{REVERSING}{'ש' * 60}"}).status_code == 303

    for path in ("/console/templates", PATH, DOSSIER, "/console/archives"):
        page = browser.open(path, language)
        assert browser.overflow_px() == 0, path
        assert page.title() != "broken"
        assert page.locator("main img[src=x], main script").count() == 0
        assert "\u202e" not in page.title()
    unknown = ("unknown", f"{HOSTILE_REFERENCE[:5]}%2Fx")
    assert [namer.get(f"/console/templates/{each}").status_code for each in unknown] == [404, 404]
