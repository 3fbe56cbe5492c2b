"""Names of templates are learned or given, outlive the database, and change titles, facets and what is found."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from adapters.database.transactions import reading, writing
from adapters.files.store import store
from adapters.search import templates as said
from adapters.search.entries import version, write
from adapters.settings.settings import Settings
from adapters.store.templates import key_in_store
from adapters.tables.settlements import index_standings
from domain.titles import title_text
from models.errors import Refused
from models.search import FacetValueRow, SearchEntryRow
from models.store.fixity import Fault
from models.templates import Names, PartWords, Template, TemplateRow, TemplateWords
from models.views.archives.archives import ArchiveQuery
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
        its = lease(number, f"דייר {number}", branch)
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
    return {each.reference: title_text(each.title, language) for each in archive_list.page(ArchiveQuery()).items}


def found(**filters: object) -> list[str]:
    return sorted(each.reference for each in archive_list.page(ArchiveQuery.model_validate(filters)).items)


def fill() -> int:
    return sum(iter(lambda: derived.fill(2), 0))


def test_template_without_a_person_is_named_by_its_documents_and_says_what_it_has() -> None:
    view = templates.view(LEASE)

    assert (view.name, view.is_named, view.archives, view.learned_from) == (Names(en="Lease of"), False, 3, 3)
    assert (view.first_at, view.changed_at, view.words) == (NOON, None, TemplateWords())
    parts = {each.part: (each.filled, each.choices, each.personal) for each in view.parts}
    assert parts["field:KIND"] == (1, ["Large flat"], False)
    assert parts["field:MAIL"] == (1, [], True)
    assert parts["label:סניף"] == (1, [], False)
    assert templates.name_of(LEASE).is_public
    assert {each.id: each.archives for each in templates.listed().items} == {LEASE: 3, SAMPLE: 1}
    assert titles()["p-1"] == "דייר 1 · Lease of · ₪21 verified"


def test_unknown_template_is_refused_and_a_name_may_come_before_the_first_archive() -> None:
    with pytest.raises(Refused, match="UNKNOWN_TEMPLATE"):
        templates.view("new")

    name(WORDS, "new")

    assert templates.view("new").archives == 0
    assert [each.id for each in templates.listed().items][-1] == "new"


def test_name_that_people_give_is_shown_at_once_and_makes_no_entry_anew() -> None:
    derived.begin()
    name(TemplateWords(name=Names(he="חוזה")))

    assert titles("he")["p-0"].startswith("דייר 0 · חוזה · ")
    assert archive_view.archive("p-0").title.template == Names(he="חוזה")  # type: ignore[union-attr]  # it is there
    assert (derived.lacking(derived.SEARCH), fill()) == (0, 0)


def test_titles_and_facets_that_people_choose_are_filled_in_and_found_without_settings() -> None:
    with pytest.raises(Refused, match="let it be a facet"):
        found(field=["KIND=large flat"])
    derived.begin()

    name(WORDS)
    assert derived.lacking(derived.SEARCH) == 4
    fill()

    assert titles()["p-0"] == "דייר 0 · Lease · חיפה · ₪21 verified"
    assert found(field=["KIND=Large  Flat"]) == found(q="large") == ["p-0", "p-1", "p-2"]
    assert found(label=["סניף=חיפה"]) == ["p-0", "p-2"]
    with reading() as session:
        values = {(each.kind, each.name, each.value) for each in session.exec(select(FacetValueRow))}
    assert values == {("label", "סניף", "חיפה"), ("label", "סניף", "תל אביב"), ("field", "KIND", "Large flat")}
    assert {"סניף", "KIND"} <= {each.name for each in archive_list.facets(ArchiveQuery()).groups}
    name(WORDS.model_copy(update={"facets": ["label:סניף"]}))
    assert "KIND" not in {each.name for each in archive_list.facets(ArchiveQuery()).groups}

    archived("p-3", minute=20, payload=lease(3, "דייר 3", "אילת"))
    assert titles()["p-3"] == "דייר 3 · Lease · אילת · ₪21 verified"
    name(TemplateWords())
    fill()
    assert (titles()["p-0"], found(q="large")) == ("דייר 0 · Lease of · ₪21 verified", [])


def test_entry_that_a_program_made_with_other_words_is_made_again() -> None:
    name(WORDS)
    fill()
    with writing() as session:
        session.execute(text("DELETE FROM template"))
    said.forget()
    archived("p-4", minute=21, payload=lease(4, "דייר 4", "אילת"))
    restored = templates.restore_templates(lambda *_: None)

    assert (restored, fill()) == (1, 1)
    assert titles()["p-4"] == "דייר 4 · Lease · אילת · ₪21 verified"
    with reading() as session:
        assert set(session.exec(select(SearchEntryRow.version))) == {version(session)}


def test_entry_that_is_made_while_a_template_is_named_is_made_again() -> None:
    class NamedMeanwhile(dict[Any, Any]):
        def get(self, reference: Any, default: Any = ()) -> Any:
            said.put(session, Template(id=LEASE, words=WORDS, changed_at=NOON, changed_by="a test"))
            said.forget()
            return super().get(reference, default)

    fill()
    with writing() as session:
        write(session, ["p-0"], NamedMeanwhile())
    with writing() as session:
        derived.begin_within(session)

    assert fill() == 4
    assert titles()["p-0"] == "דייר 0 · Lease · חיפה · ₪21 verified"


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
    assert templates.every_template() == {}

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
