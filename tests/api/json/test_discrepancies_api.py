"""`/api/discrepancies` over real HTTP, on both databases, also for discrepancies that belong to no archive."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from models.access import OF_SETTINGS
from models.discrepancies import SETTLEMENT_CODES, Discrepancy, DiscrepancyCode
from services.payments.discrepancies import reconcile_many
from tests.api.conftest import TOKEN, Library
from tests.api.json.test_archives_api import DISCREPANCY, assert_error
from tests.installations import installed

PATH = "/api/discrepancies"
WITHOUT_AN_ARCHIVE = [
    Discrepancy(DiscrepancyCode.AMBIGUOUS_MATCH, None, "one payment", "several", "row 1"),
    *(Discrepancy(DiscrepancyCode.MISSING_IN_ARCHIVE, None, "a payment", "none", f"row {row}") for row in range(2, 5)),
]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _without_an_archive(library: Library) -> Iterator[None]:
    """Add discrepancies of report rows that belong to no archive."""
    with installed(library.folder, **library.settings):
        reconcile_many({None: WITHOUT_AN_ARCHIVE}, SETTLEMENT_CODES, NOON)
    yield
    with installed(library.folder, **library.settings):
        reconcile_many({None: []}, SETTLEMENT_CODES, NOON)


def listed(library: Library, query: str = "") -> list[dict[str, Any]]:
    answer = library.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def explained(library: Library, discrepancy_id: str, **members: str) -> httpx.Response:
    path = f"{PATH}/{discrepancy_id}/explanation"
    return library.receiver.client.post(path, json=members, headers={"authorization": f"Bearer {TOKEN}"})


def test_list_has_all_open_and_explained_discrepancies_page_by_page(library: Library) -> None:
    found = listed(library, "limit=500")
    seen, cursor = list[dict[str, Any]](), ""
    while cursor is not None:
        page = library.get(f"{PATH}?limit=3&cursor={cursor}").json()
        seen += page["items"]
        cursor = page["next"]

    assert seen == found
    assert {each["reference"] for each in found} > {None, "contract"}
    assert "closed" not in {each["state"] for each in found}
    assert [each["code"] for each in found] == sorted(each["code"] for each in found)
    assert set(found[0]) == DISCREPANCY | {"reference"}


def test_list_is_narrowed_by_code_state_and_reference(library: Library) -> None:
    assert len(listed(library, "reference=")) == 4
    assert len(listed(library, "reference=&code=MISSING_IN_ARCHIVE")) == 3
    assert {each["reference"] for each in listed(library, "reference=contract")} == {"contract"}
    assert {each["state"] for each in listed(library, "reference=contract&state=closed")} == {"closed"}
    assert listed(library, "reference=nowhere") == []
    for query in ("cursor=x", f"cursor={base64.b64encode(bytes(3)).decode()}"):
        assert_error(library.get(f"{PATH}?{query}"), 422, "BAD_PARAMETER")


def test_discrepancy_without_an_archive_is_explained(library: Library) -> None:
    (found,) = listed(library, "code=AMBIGUOUS_MATCH")

    other = explained(library, found["discrepancy_id"], by="Dana", why="w", found="two")
    assert_error(other, 409, "DISCREPANCY_CHANGED")
    answer = explained(library, found["discrepancy_id"], by="Dana", why="w", found="several")

    assert answer.status_code == 200, answer.text
    assert [answer.json()] == listed(library, "code=AMBIGUOUS_MATCH&state=explained")
    assert answer.json()["explanation"]["by"] == OF_SETTINGS
    for unknown, status in (("unknown", 404), ("%00", 422)):
        assert explained(library, unknown, by="Dana", why="w").status_code == status
