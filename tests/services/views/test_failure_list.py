"""Failed archives grouped by cause, on both databases."""

from datetime import timedelta

import pytest

from adapters.tables.runs import receipts
from models.archive.archive import State
from models.runs.cause import Cause
from models.views.troubles import FailureGroup
from services.views.failure_list import failures
from tests.records import NOON, registered

STORE = "the store does not take a file"


def failed(reference: str, code: str, task: str | None, sentence: str, *, minute: int) -> None:
    cause = Cause(code, task, "Transient", sentence)
    receipts.set_failed(registered(reference, reference), cause, NOON + timedelta(minutes=minute))


@pytest.mark.usefixtures("installation")
def test_failed_archives_are_grouped_by_code_and_task_with_the_last_sentence() -> None:
    failed("a", "STORE_AWAY", "persist-files", "an earlier sentence", minute=1)
    failed("b", "STORE_AWAY", "persist-files", STORE, minute=3)
    failed("c", "STORE_AWAY", "load-metadata", "another task", minute=2)
    failed("d", "CANCELLED", None, "a person cancelled the run", minute=4)
    receipts.set_state(registered("of an earlier cellar", "e", minute=5), State.FAILED, NOON)
    receipts.set_state(registered("well", "f"), State.COMPLETED, NOON)

    at = {minute: NOON + timedelta(minutes=minute) for minute in range(6)}
    largest, *others = failures().items
    assert largest == FailureGroup(
        code="STORE_AWAY", task="persist-files", sentence=STORE, archives=2, first_at=at[1], last_at=at[3]
    )
    assert {(each.code, each.task, each.archives, each.first_at) for each in others} == {
        ("STORE_AWAY", "load-metadata", 1, at[2]),
        ("CANCELLED", None, 1, at[4]),
        ("UNKNOWN", None, 1, at[5]),
    }
    assert next(each.sentence for each in others if each.code == "UNKNOWN").startswith("the archive failed before")


@pytest.mark.usefixtures("installation")
def test_archive_that_has_not_failed_is_no_failure() -> None:
    registered("received")

    assert failures().items == []
