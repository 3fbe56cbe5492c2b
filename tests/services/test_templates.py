"""Names of templates are learned or given, outlive the database, and change titles, facets and what is found."""

from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlmodel import select

from adapters.database.connections import engine
from adapters.database.transactions import reading, writing
from adapters.files.store import store
from adapters.search import templates as said
from adapters.search.entries import version
from adapters.settings.settings import Settings
from adapters.store.templates import RECORDS, key_in_store
from adapters.tables.settlements import index_standings
from domain.titles import title_text
from models.access import CELLAR
from models.errors import Refused
from models.search import FacetValueRow, SearchEntryRow
from models.store.fixity import Fault
from models.templates import Names, PartWords, TemplateRow, TemplateWords
from models.views.archives.archives import ArchiveFilter, ArchiveQuery, FacetGroup
from services import derived, templates
from services.custody.verifying_records import verify_beside
from services.views import archive_list, archive_view
from tests.records import NOON, archived, document

LEASE, SAMPLE = "lease-template", "9fa70d4ccea84262b1ed2308a07a3fb4"
BRANCHES = ("חיפה", "תל אביב", "חיפה")
WORDS = TemplateWords(
    name=Names(en="Lease", he="חוזה שכירות"),
    parts={"field:KIND": PartWords(name=Names(en="Kind of flat"))},
    title=["person", "template", "label:סניף", "payment"],
    facets=["label:סניף", "field:KIND"],
)


@pytest.fixture(autouse=True)
def _leases(installation: Settings) -> None:
    """Load three leases of different people, and an archive of another template."""
    assert installation
    for number, branch in enumerate(BRANCHES):
        its = lease(number, f"דייר{number}", branch)
        archived(f"p-{number}", minute=number, payload=its)
    archived("other", minute=9)


def lease(number: int, person: str, branch: str) -> dict[str, Any]:
    its = document(f"p-{number}", labels={"סניף": branch}, template={"id": LEASE}, recipient={"id": 1, "name": person})
    its["signed_document"]["filename"] = f"Lease of {person} {number}77.pdf"
    its["data"] += [its["data"][0] | {"id": "KIND", "type": "select", "value": "Large\tflat"}]
    its["data"] += [its["data"][0] | {"id": "MAIL", "value": f"tenant{number}@example.com"}]
    return its


def name(words: TemplateWords, template: str = LEASE) -> None:
    templates.name({template: words}, "a test", NOON)


def titles(language: Any = "en") -> dict[str, str]:
    return {
        each.reference: title_text(each.title, language) for each in archive_list.page(ArchiveQuery(), CELLAR).items
    }


def found(**filters: object) -> list[str]:
    return sorted(each.reference for each in archive_list.page(ArchiveQuery.model_validate(filters), CELLAR).items)


def counts() -> list[FacetGroup]:
    return archive_list.facets(ArchiveFilter(), CELLAR).groups


def fill() -> int:
    return sum(iter(lambda: derived.fill(2), 0))


def test_template_without_a_person_is_named_by_its_documents_and_says_what_it_has() -> None:
    view = templates.view(LEASE, CELLAR)

    assert (view.name, view.is_named, view.archives, view.learned_from) == (Names(en="Lease of"), False, 3, 3)
    assert (view.first_at, view.changed_at, view.words) == (NOON, None, TemplateWords())
    parts = {each.part: (each.filled, each.choices, each.personal) for each in view.parts}
    assert parts["field:KIND"] == (1, ["Large flat"], False)
    assert parts["field:MAIL"] == (1, [], True)
    assert parts["label:סניף"] == (1, [], True)
    assert templates.name_of(LEASE).is_public
    assert {each.id: each.archives for each in templates.listed(CELLAR).items} == {LEASE: 3, SAMPLE: 1}
    assert titles()["p-1"] == "דייר1 · Lease of · ₪21 verified"


def test_unknown_template_is_refused_and_a_name_may_come_before_the_first_archive() -> None:
    with pytest.raises(Refused, match="UNKNOWN_TEMPLATE"):
        templates.view("new", CELLAR)

    name(WORDS, "new")

    assert templates.view("new", CELLAR).archives == 0
    assert [each.id for each in templates.listed(CELLAR).items][-1] == "new"


def test_name_that_people_give_is_shown_at_once_and_found_once_entries_are_made_anew() -> None:
    derived.begin()
    name(TemplateWords(name=Names(he="חוזה")))

    assert titles("he")["p-0"].startswith("דייר0 · חוזה · ")
    assert archive_view.archive("p-0", CELLAR).title.template == Names(he="חוזה")  # type: ignore[union-attr]  # it is there
    assert found(q="חוזה דייר0") == []
    fill()
    assert found(q="חוזה דייר0") == ["p-0"]


def test_titles_and_facets_that_people_choose_are_filled_in_and_found_without_settings() -> None:
    with pytest.raises(Refused, match="let it be a facet"):
        found(field=["KIND=large flat"])
    derived.begin()

    name(WORDS)
    assert derived.lacking() == 4
    fill()

    assert titles()["p-0"] == "דייר0 · Lease · חיפה · ₪21 verified"
    assert found(field=["KIND=Large  Flat"]) == found(q="large") == ["p-0", "p-1", "p-2"]
    assert found(label=["סניף=חיפה"]) == ["p-0", "p-2"]
    with reading() as session:
        values = {(each.kind, each.name, each.value) for each in session.exec(select(FacetValueRow))}
    assert values == {("label", "סניף", "חיפה"), ("label", "סניף", "תל אביב"), ("field", "KIND", "Large\tflat")}

    archived("p-3", minute=20, payload=lease(3, "דייר3", "אילת"))
    assert titles()["p-3"] == "דייר3 · Lease · אילת · ₪21 verified"
    assert [each.name for each in counts() if each.name] == ["KIND", "סניף"]
    name(WORDS.model_copy(update={"facets": ["field:KIND"]}))
    fill()
    assert [each.name for each in counts() if each.name] == ["KIND"]
    name(TemplateWords())
    fill()
    assert (titles()["p-0"], found(q="large")) == ("דייר0 · Lease of · ₪21 verified", [])


def test_entry_that_a_program_made_with_other_words_is_made_again() -> None:
    name(WORDS)
    fill()
    with writing() as session:
        session.execute(text("DELETE FROM template"))
    said.forget()
    archived("p-4", minute=21, payload=lease(4, "דייר4", "אילת"))
    restored = templates.restore_templates(lambda *_: None)

    fill()
    assert restored == 1
    assert titles()["p-4"] == "דייר4 · Lease · אילת · ₪21 verified"
    with reading() as session:
        assert set(session.exec(select(SearchEntryRow.version))) == {version(session)}


def test_value_of_a_facet_finds_the_archives_that_it_counts() -> None:
    for number, branch in enumerate(("North  bank\n", "W" * 81, " "), 3):
        archived(f"p-{number}", minute=number, payload=lease(number, f"דייר{number}", branch))
    name(WORDS)
    fill()

    values = [(its.filter, each) for its in counts() for each in its.values]
    assert {each.value for kind, each in values if kind == "label"} == {"North  bank\n", "חיפה", "תל אביב"}
    for kind, each in values:
        assert len(found(**{kind: [each.sent] if kind in ("label", "field") else each.sent})) == each.archives


def test_entries_that_are_made_while_words_change_have_no_version_of_words_that_they_were_not_made_by() -> None:
    name(WORDS)
    taken = list[str]()

    def _take_back(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM label" in statement and not taken:
            taken.append(statement)
            connection.exec_driver_sql("DELETE FROM template")
            said.forget()

    event.listen(engine(), "before_cursor_execute", _take_back)
    fill()
    derived.begin()
    fill()

    assert taken
    assert titles()["p-0"] == "דייר0 · Lease of · ₪21 verified"


def test_title_follows_the_standing_of_the_payment() -> None:
    with writing() as session:
        session.execute(text("UPDATE payment SET standing = 'charged' WHERE reference = 'p-0'"))

    index_standings(["p-0", "p-1"])

    assert [titles()[each].rpartition(" ")[2] for each in ("p-0", "p-1")] == ["charged", "verified"]


def test_personal_values_are_no_facet_unless_a_person_says_that_they_are_not() -> None:
    with pytest.raises(Refused, match="PERSONAL_FACET"):
        name(TemplateWords(facets=["field:MAIL"]))
    with pytest.raises(Refused, match="PERSONAL_FACET"):
        name(TemplateWords(facets=["field:KIND"], parts={"field:KIND": PartWords(personal=True)}))
    with pytest.raises(Refused, match="PERSONAL_FACET"):
        templates.name({"a": WORDS, LEASE: TemplateWords(facets=["field:MAIL"])}, "a test", NOON)
    assert said.every() == {}
    assert list(store().listed(RECORDS.folder)) == []

    name(TemplateWords(facets=["field:MAIL"], parts={"field:MAIL": PartWords(personal=False)}))
    assert templates.words_of(LEASE).facets == ["field:MAIL"]


def test_verify_compares_words_of_the_database_with_those_of_the_store() -> None:
    def faults() -> list[str]:
        return [each.fault for each in verify_beside().findings if each.key == key_in_store(LEASE)]

    name(WORDS)
    assert faults() == []
    with writing() as session:
        session.get_one(TemplateRow, key_in_store(LEASE)[10:-5]).words = {}
    assert faults() == [Fault.DIFFERS]
    store().remove(key_in_store(LEASE))
    assert faults() == [Fault.MISSING]
