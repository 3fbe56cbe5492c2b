"""The radar finds how templates drift, in any order and repetition of archives, and says so once."""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import UpdateBase, delete
from sqlmodel import col, select, update

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables import shapes as table
from adapters.tables.open_conditions import open_conditions
from domain.shapes import members_of
from models.archive.archive import ArchiveRow
from models.runs.receipt import VersionRow
from models.shapes import ShapeMemberRow, ShapeRow, ShapeView
from models.store.condition import DerivedCode
from models.templates import TemplateWords
from services import shapes, templates
from services.messages.events import announce_drifts, prefect_event
from tests.records import NOON, all_of, archived, change, document, put

LEASE = "lease-template"
RENT = {"id": "RENT", "type": "text", "value": "4,200"}
PETS = {"id": "PETS", "type": "text", "value": "cat"}
MINUTE = timedelta(minutes=1)
CONDITIONS = (DerivedCode.FIELD_VANISHED, DerivedCode.TEMPLATE_DRIFTED)


@pytest.fixture(autouse=True)
def _empty(installation: Settings) -> None:
    assert installation


def leases(numbers: Iterable[int], *fields: dict[str, Any], **members: Any) -> None:
    """Load leases, each made at its minute, with fields."""
    for number in numbers:
        payload = document(f"p-{number}", template={"id": LEASE}) | {"data": [*fields]} | members
        its: dict[str, Any] = {"reference": f"p-{number}", "received_at": NOON}
        made_at = NOON + number * MINUTE
        put(
            ArchiveRow(state="completed", template_id=LEASE, current_receipt_id=f"r-{number}", **its),
            VersionRow(receipt_id=f"r-{number}", version=1, skeleton=json.dumps(payload).encode(), **its),
            ShapeRow(reference=f"p-{number}", template=0, version=1, made_at=made_at),
        )


def looked() -> ShapeView:
    while shapes.look():
        pass
    return shapes.view(LEASE)


def found(view: ShapeView) -> list[tuple[str, str, str]]:
    return [(str(each.code), each.path, each.reference) for each in view.changes if each.is_open]


def open_groups() -> Iterator[tuple[str, str, int]]:
    return ((str(each.code), each.key, each.subjects) for each in open_conditions(CONDITIONS))


def test_field_that_a_facet_relies_on_vanishes_and_returns() -> None:
    templates.name({LEASE: TemplateWords(facets=["field:KIND"])}, "Dana", NOON)
    kind = {"id": "KIND", "type": "select", "value": "Flat"}
    leases(range(30, 50), RENT)
    leases(range(20), RENT, kind)
    view = looked()

    assert found(view) == [("vanished", "data[KIND]", "p-49")]
    assert [*open_groups()] == [("FIELD_VANISHED", LEASE, 1)]
    (its,) = [each for each in view.members if each.path == "data[KIND].value"]
    assert (its.types, its.choices, its.coverage, view.learned_from) == (["text"], 1, 0.5, 40)
    assert "Flat" not in view.model_dump_json()

    leases([60], RENT, kind)
    assert (found(looked()), [*open_groups()]) == ([], [])


def test_renamed_field_is_told_as_vanished_although_people_saw_its_new_name_before() -> None:
    words = TemplateWords(title=["field:RENT"])
    leases(range(30), RENT)
    leases([30], PETS)
    seen_until = looked().changes[0].since
    templates.name({LEASE: words.model_copy(update={"seen_until": seen_until})}, "Dana", NOON)
    leases(range(31, 50), PETS)

    assert found(looked()) == [("vanished", "data[RENT]", "p-49")]
    assert [*open_groups()] == [("FIELD_VANISHED", LEASE, 1)]


def test_what_appears_is_told_once_until_people_have_seen_it() -> None:
    leases(range(21), RENT)
    looked()
    assert announce_drifts(NOON) == []

    leases([30], RENT, PETS, pets=["cat"])
    view = looked()

    assert found(view) == [("appeared", "data[PETS]", "p-30"), ("appeared", "pets", "p-30")]
    assert [*open_groups()] == [("TEMPLATE_DRIFTED", LEASE, 2)]
    (event,) = announce_drifts(NOON)
    told = json.loads(event.body)["data"]
    assert (told["template_id"], told["changes_in_all"], told["by_code"]) == (LEASE, 2, {"appeared": 2})
    assert told["changes"][0] | {"path": "data[PETS]", "place": "data[1]", "is_relied": False} == told["changes"][0]
    assert prefect_event(event)["event"] == "cellar.template.drifted"
    assert "cat" not in event.body.decode().replace("template", "")
    looked()
    assert announce_drifts(NOON) == []

    templates.name({LEASE: TemplateWords(seen_until=view.changes[0].since)}, "Dana", NOON)

    seen = shapes.view(LEASE)
    assert (found(seen), [*open_groups()], len(seen.changes)) == ([], [], 2)


def test_shape_is_the_same_after_any_order_and_repetition_and_an_archive_without_a_template_has_none() -> None:
    def everything() -> list[Any]:
        rows = all_of(select(ShapeMemberRow).order_by(ShapeMemberRow.path, ShapeMemberRow.type))
        return [each.model_dump(exclude={"number", "told"}) for each in rows]

    leases(range(25), RENT)
    leases(range(25, 60), RENT, PETS)
    archived("none", template={})
    one_by_one = (looked(), everything())
    assert found(one_by_one[0]) == [("appeared", "data[PETS]", "p-25")]
    for number in range(60):
        change(update(ShapeRow).where(col(ShapeRow.reference) == f"p-{number}").values(members=None))
        assert number % 10 or looked()  # as re-runs
    again = (looked(), everything())
    change(delete(ShapeMemberRow))
    change(update(ShapeRow).values(members=None))

    assert one_by_one == again == (looked(), everything())


def test_old_changes_of_a_backlog_are_no_news_and_a_field_of_any_text_has_at_most_twenty_choices() -> None:
    leases(range(25), RENT)
    for number in range(25, 250):
        leases([number], RENT, {"id": "NAME", "type": "combo", "value": f"Noa {number}"})

    view = looked()

    assert (view.changes, view.learned_from) == ([], 200)
    assert [each.choices for each in view.members if each.path == "data[NAME].value"] == [20]


def test_template_that_nobody_knows_has_an_empty_shape() -> None:
    assert shapes.view("unknown") == ShapeView(learned_from=0, members=[], changes=[])


@pytest.mark.parametrize("meanwhile", [delete(ShapeRow), update(ShapeRow).values(version=2)], ids=["erased", "changed"])
def test_archive_that_is_erased_or_changed_while_the_radar_looks_at_it_leaves_nothing(meanwhile: UpdateBase) -> None:
    leases([1], RENT)
    found = [(due, members_of(json.loads(due.skeleton), str)) for due in table.due(9)]
    change(meanwhile)

    with writing() as session:
        table.take_in(session, LEASE, found)

    assert (len(found), all_of(select(ShapeMemberRow))) == (1, [])
