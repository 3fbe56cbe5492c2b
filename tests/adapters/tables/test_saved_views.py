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


@pytest.mark.usefixtures("installation")
def test_of_views_that_get_one_name_at_once_one_is_shown_and_has_it_until_it_is_removed() -> None:
    with ThreadPoolExecutor(len(PEOPLE)) as threads:
        kept = list(threads.map(lambda by: saved_views.save(view("failed", by)), PEOPLE))

    [first] = [by for by, is_kept in zip(PEOPLE, kept, strict=True) if is_kept]
    assert [each.saved_by for each in all_of(select(SavedViewRow))] == [first]
    saved_views.remove(f"failed-{first}", "gil", NOON)
    assert saved_views.save(view("failed", "gil"))
    assert [each.saved_by for each in saved_views.shown()] == ["gil"]
