"""The samples of docs/ are one list in two files, and show each kind of row."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.completeness.listed import DifferenceKind
from services.completeness.reconciling import reconcile_list
from tests.records import archived

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.usefixtures("sqlite_installation")
def test_samples_say_the_same() -> None:
    archived("hello-cellar", process_number=1, created_at="2026-01-01T09:58:00")
    now = datetime(2026, 1, 2, tzinfo=UTC)
    found = [
        reconcile_list(DOCS / name, None, now, lambda _: None, dry_run=True)
        for name in ("processes.xlsx", "processes.csv")
    ]
    for each in found:
        assert (each.compared.matched, each.compared.not_due, each.read.unread) == (1, 1, [])
        missing = [one.process_number for one in each.compared.differences if one.kind is DifferenceKind.MISSING]
        assert missing == [2, 3]
    assert [each.kind for each in found] == ["workbook", "csv in utf-8"]
