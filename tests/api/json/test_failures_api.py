"""`/api/failures` over real HTTP."""

from collections.abc import Iterator

import pytest
from sqlmodel import SQLModel, delete

from adapters.database.transactions import writing
from adapters.tables.runs import receipts
from models.runs.receipt import Cause
from models.said import verbatim
from tests.api.conftest import Library
from tests.api.json.test_archives_api import assert_error
from tests.installations import installed
from tests.records import NOON, registered


@pytest.fixture(autouse=True)
def _a_failed_archive(library: Library) -> Iterator[None]:
    with installed(library.folder, **library.settings):
        receipts.set_failed(
            registered("f", "f"), Cause("CONFLICT", "load-metadata", "Conflict", verbatim("two records")), NOON
        )
    yield
    tables = SQLModel.metadata.tables
    with installed(library.folder, **library.settings), writing() as session:
        for table in ("archive", "receipt", "delivery"):
            session.execute(delete(tables[table]).where(tables[table].c.reference == "f"))


def test_failed_archives_are_grouped_by_cause_for_readers_alone(library: Library) -> None:
    """Other tests leave archives in the library that have failed by other causes."""
    found = library.get("/api/failures")

    assert found.status_code == 200
    assert [each for each in found.json()["items"] if each["code"] == "CONFLICT"] == [
        {
            "condition": None,
            "code": "CONFLICT",
            "task": "load-metadata",
            "sentence": "two records",
            "values": {"sentence": {"code": "text", "values": {"text": "two records"}}},
            "archives": 1,
            "first_at": "2026-01-01T12:00:00Z",
            "last_at": "2026-01-01T12:00:00Z",
        }
    ]
    assert_error(library.receiver.client.get("/api/failures"), 401, "UNAUTHORIZED")
