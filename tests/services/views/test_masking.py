"""No personal value is in what a viewer reads, and none is found, whatever an archive says and people call personal."""

import json
from dataclasses import asdict
from itertools import count
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from adapters.settings.settings import Settings
from domain.archive.difference import differences
from domain.masking import Personal, declared_types, masked_difference
from domain.personal import MASK
from domain.search import normalised
from models.access import CELLAR, Caller, Role
from models.archive.archive import DifferenceKind, Values
from models.errors import Refused
from models.templates import PartWords, TemplateWords
from models.views.archives.archives import ArchiveFilter, ArchiveQuery
from services import derived, templates
from services.views import archive_list, archive_view
from tests.conftest import Configure
from tests.domain.payloads import TERMS, read
from tests.records import NOON, archived, document

VIEWER, DATA = Caller("vera", Role.VIEWER), Caller("dina", Role.DATA)
BOTH = pytest.mark.parametrize("masked", [VIEWER, DATA], ids=["viewer", "data"])
TEMPLATE = "lease-template"
PARTS = ("label:k0", "label:k1", "label:k2", "field:f0", "field:f1", "field:f2")
NUMBERS = count()


@pytest.fixture(autouse=True)
def _searched_by_all_fields(installation: Settings, configure: Configure) -> None:
    configure(search_fields="*", database_url=installation.database_location)


def name(words: TemplateWords, template: str = TEMPLATE) -> None:
    templates.name({template: words}, "a test", NOON)
    while derived.fill(20):
        pass


def lease(reference: str, values: dict[str, Any], template: str = TEMPLATE, person: str = "דנה לוי") -> dict[str, Any]:
    """Return an archive whose labels and fields have values, by part."""
    its = document(
        reference,
        template={"id": template},
        recipient={"id": 1, "name": person, "phone": f"{person}-phone"},
        submission_details={"ip": f"{person}-ip"},
        author=f"{person}-author",
        labels={part[6:]: value for part, value in values.items() if part.startswith("label:")},
    )
    its["signatures"][0] |= {"signed_by": {"id": f"{person}-id", "name": f"{person}-signer"}, "labels": {}}
    its["attachments"][0]["filename"] = its["signed_document"]["filename"] = f"{person}-file.pdf"
    its["attachments"][0]["mimetype"] = f"image/png; name={person}"
    fields = {part[6:]: value for part, value in values.items() if part.startswith("field:")}
    its["data"] = [its["data"][0] | {"id": id_, "value": value} for id_, value in fields.items()]
    return its


def answers(reference: str, caller: Caller, searches: list[str]) -> str:
    """Return all that a caller reads of an archive, and finds by searches, as one text."""
    page = archive_list.page(ArchiveQuery(reference=reference), caller)
    view = archive_view.archive(reference, caller)
    assert view
    lists = [archive_view.items(reference, caller, name) for name in archive_view.LISTS]
    titles = archive_list.titles([reference], caller).values()
    found = [page, view, *lists, archive_list.facets(ArchiveFilter(reference=reference), caller), *titles]
    said: list[Any] = [each.model_dump(mode="json") for each in found if each]
    said += [archive_list.field_values([reference], caller)]
    for q in searches:
        said += [[asdict(each) for each in its] for its in archive_list.matched(q, page.items, caller).values()]
    return json.dumps(said, ensure_ascii=False)


def references_of(caller: Caller, **query: Any) -> list[str]:
    return [each.reference for each in archive_list.page(ArchiveQuery(**query), caller).items]


TEXTS = st.text("אבגדםןשת ABcdé'-.,:%_\\/{}<&😀", max_size=12)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)  # what is masked is no matter of the database
@settings(max_examples=settings().max_examples // 5, phases=[Phase.generate])  # an example takes a second
@given(st.lists(TEXTS, min_size=7, max_size=7), st.lists(st.sampled_from([True, False, None]), min_size=6, max_size=6))
def test_no_personal_value_is_in_an_answer_to_a_viewer(texts: list[str], said: list[bool | None]) -> None:
    number = next(NUMBERS)
    reference, template = f"r-{number}", f"t-{number}"
    person, *values = (f"{text}x{number}y{place}z" for place, text in enumerate(texts))
    its = dict(zip(PARTS, values, strict=True))
    made = lease(reference, its, template, person)
    made["data"].append({"id": "paid", "type": "payment", "value": f"{person}-paid"})
    archived(reference, payload=made)
    parts = {part: PartWords(personal=each) for part, each in zip(PARTS, said, strict=True)}
    name(TemplateWords(parts=parts, title=["person", "template", "label:k0", "field:f0", "payment"]), template)
    public = {value for part, value in its.items() if parts[part].personal is False}
    personal = {value for part, value in its.items() if parts[part].personal} | {person}

    shown, whole = (answers(reference, each, [*values, person]) for each in (VIEWER, CELLAR))
    assert answers(reference, DATA, [*values, person]) == shown
    for value in personal:
        for text in (json.dumps(value, ensure_ascii=False)[1:-1], normalised(value)):
            assert text not in shown
        assert json.dumps(value, ensure_ascii=False)[1:-1] in whole
    assert all(json.dumps(value, ensure_ascii=False)[1:-1] in shown for value in public)
    for value in (*its.values(), person):
        assert references_of(CELLAR, q=f'"{value}"') == [reference]
        for caller in (VIEWER, DATA):
            assert references_of(caller, q=f'"{value}"') == ([reference] if value in public else [])
        assert archive_list.arrived(ArchiveFilter(q=f'"{value}"'), VIEWER, NOON.replace(year=2000), 9) == (
            value in public
        )
    assert references_of(VIEWER, q=reference) == [reference]


@pytest.mark.parametrize(
    ("type_", "value", "is_shown"),
    [
        ("text", "Combined flat", False),
        ("text", "1200", False),
        ("text", {"of": ["Dana", "דנה"]}, False),
        ("date", "2026-01-01", False),
        ("number", 123456782, False),
        (None, True, False),
        ("checkbox", True, True),
        ("Checkbox", "on", True),
        ("checkbox", "Dana", False),
        ("amount", "₪1,200.50", True),
        ("amount", "050-1234567", False),
        ("select", "12 months", False),  # until several people have chosen from few
        ("signature", "data:image/png", False),
    ],
)
def test_field_of_which_nobody_says_is_masked_unless_its_declared_type_and_its_value_are_of_nobody(
    type_: str | None, value: Any, is_shown: bool
) -> None:
    its = lease("r", {"field:f0": value, "label:k0": "cust-0-77123"})
    its["data"][0] |= {"type": type_, "meta": {"geocoder": "Herzl 5"}}
    archived(payload=its)
    for caller in (VIEWER, DATA):
        view = archive_view.archive("r", caller)
        assert view
        assert [(each.value, each.meta) for each in view.fields] == [(value if is_shown else MASK, {})]
        assert view.sessions[0].labels == {"k0": MASK}


def test_differences_are_masked_by_the_types_of_both_versions() -> None:
    before = lease("r", {"field:f0": "flat", "field:f1": "off", "field:f2": "Large", "field:f3": "on"})
    after = lease("r", {"field:f0": "house", "field:f1": "on", "field:f2": "Small", "field:f3": "off"})
    for made, types in ((before, ("text", "checkbox", "select", "checkbox")), (after, ("text", *["checkbox"] * 2, ""))):
        for each, type_ in zip(made["data"], types, strict=True):
            each["type"] = type_
    versions = read(before), read(after)

    personal = Personal(TemplateWords(parts={"field:f2": PartWords(personal=False)}))
    shown = {
        each.key: each.members["value"]
        for each in (masked_difference(it, personal, declared_types(versions)) for it in differences(*versions, TERMS))
        if each.kind == DifferenceKind.FIELD
    }
    hidden = Values(MASK, MASK)
    assert shown == {"f0": hidden, "f1": Values("off", "on"), "f2": Values("Large", "Small"), "f3": hidden}


def test_choice_is_read_once_each_of_few_values_is_that_of_three_people() -> None:
    for number, value in enumerate(("12 months", "24 months") * 3):
        its = lease(f"r-{number}", {"field:f0": value, "field:f1": "Herzl 5"}, person=f"p{number}")
        its["data"][0]["type"], its["data"][1]["type"] = "select", "combo"
        archived(f"r-{number}", payload=its)

    assert archive_list.field_values(["r-1"], VIEWER) == {"r-1": {"f0": ["24 months"], "f1": [MASK]}}
    assert archive_list.field_values(["r-1"], CELLAR) == {"r-1": {"f0": ["24 months"], "f1": ["Herzl 5"]}}


@BOTH
def test_value_and_its_absence_look_the_same(masked: Caller) -> None:
    archived("full", payload=lease("full", {"field:f0": "secret"}))
    archived("empty", payload=lease("empty", {"field:f0": None}, person=""))
    name(TemplateWords(parts={"field:f0": PartWords(personal=True)}))
    full, empty = (archive_view.archive(each, masked) for each in ("full", "empty"))

    assert full
    assert empty
    assert full.fields == empty.fields
    assert full.sessions[0].recipient == empty.sessions[0].recipient
    assert full.signatures[0].signed_by == empty.signatures[0].signed_by
    tables = [archive_list.field_values([each], masked)[each] for each in ("full", "empty")]
    assert tables == [{"f0": [MASK]}] * 2


@pytest.mark.parametrize(
    "query",
    [{"signer": "דנה לוי"}, {"filename": "דנה לוי-file.pdf"}, {"label": ["k0=a"]}, {"field": ["f0=b"]}],
    ids=str,
)
@BOTH
def test_viewer_may_not_filter_by_what_is_personal(query: dict[str, Any], masked: Caller) -> None:
    archived(payload=lease("r", {"label:k0": "a", "field:f0": "b"}))
    name(TemplateWords(parts={"label:k0": PartWords(personal=True)}))

    assert references_of(CELLAR, **query) == ["r"]
    with pytest.raises(Refused, match="a viewer finds no archive by what is personal"):
        references_of(masked, **query)


def counted(caller: Caller) -> dict[str, int]:
    """Return how many archives a caller counts with each value of the label `k0`."""
    groups = archive_list.facets(ArchiveFilter(), caller).groups
    return {value.value: value.archives for each in groups if each.name == "k0" for value in each.values}


@BOTH
def test_viewer_filters_and_counts_by_a_label_only_where_it_is_public(masked: Caller) -> None:
    archived("r-public", payload=lease("r-public", {"label:k0": "Haifa"}))
    archived("r-personal", payload=lease("r-personal", {"label:k0": "Haifa"}, "other-template"))
    name(TemplateWords(facets=["label:k0"]))

    assert references_of(CELLAR, label=["k0=Haifa"]) == ["r-personal", "r-public"]
    assert references_of(masked, label=["k0=Haifa"]) == ["r-public"]
    assert counted(CELLAR) == {"Haifa": 2}
    assert counted(masked) == {"Haifa": 1}
    name(TemplateWords(parts={"label:k0": PartWords(personal=False)}), "other-template")
    assert counted(masked) == {"Haifa": 2}


@BOTH
def test_viewer_finds_nothing_by_what_became_personal_before_entries_are_made_again(masked: Caller) -> None:
    archived(payload=lease("r", {"label:k0": "Haifa"}))
    name(TemplateWords(parts={"label:k0": PartWords(personal=False)}, title=["label:k0"]))
    assert references_of(masked, q="haifa") == ["r"]

    templates.name({TEMPLATE: TemplateWords(title=["label:k0"])}, "a test", NOON)

    assert references_of(masked, q="haifa") == []
    assert references_of(CELLAR, q="haifa") == ["r"]
    assert "Haifa" not in answers("r", masked, ["haifa"]).replace('"k0": "Haifa"', "")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.DATA, Role.ADMINISTRATOR])
def test_template_is_named_for_who_sees_no_names_only_if_its_name_cannot_name_a_person(role: Role) -> None:
    its = lease("r", {"field:f0": "Herzl 5"})
    its["data"][0]["type"] = "select"
    archived(payload=its)

    def said(caller: Caller) -> str:
        return str([templates.view(TEMPLATE, caller), templates.listed(caller).items[0].name])

    whole, shown = said(CELLAR), said(Caller("x", role))
    assert all(each in whole for each in ("דנה לוי-file.pdf", "Herzl 5", "en='file'"))
    assert not any(each in shown for each in ("דנה לוי-file.pdf", "Herzl 5", "en='file'"))
