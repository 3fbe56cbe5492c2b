"""No two saved views that people see have the same name, whoever saves at the same time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from adapters.tables.people import saved_views
from models.people import SavedViewRow
from tests.records import NOON, all_of

PEOPLE = ["dana", "noa", "omer", "tal"]


def view(name: str, by: str) -> SavedViewRow:
    return SavedViewRow(view_id=f"{name}-{by}", name=name, query="state=failed", saved_by=by, saved_at=NOON)


def test_name_is_taken_until_its_view_is_removed() -> None:
    assert saved_views.save(view("failed", "dana"))
    assert not saved_views.save(view("failed", "noa"))

    saved_views.remove("failed-dana", "tal", NOON)

    assert saved_views.save(view("failed", "noa"))
    assert [each.saved_by for each in saved_views.shown()] == ["noa"]


@pytest.mark.usefixtures("installation")
def test_of_views_that_get_one_name_at_once_one_is_shown() -> None:
    with ThreadPoolExecutor(len(PEOPLE)) as threads:
        kept = list(threads.map(lambda by: saved_views.save(view("failed", by)), PEOPLE))

    assert [each.saved_by for each in all_of(select(SavedViewRow))] == [
        by for by, is_kept in zip(PEOPLE, kept, strict=True) if is_kept
    ]
    assert kept.count(True) == 1
