"""What does not add up is that of the current version, whichever receipt is worked on; and that of its peers."""

import json
from typing import Any

import pytest

from adapters import catalogue, history, ocfl
from flows.completion import complete
from flows.loading import load
from flows.material import read_material
from flows.persisting import persist
from models.errors import Conflict
from tests.flows.conftest import received
from tests.installations import archived, finished
from tests.samples import sample_body, sample_document

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def body(year: int, **members: Any) -> bytes:
    return sample_body("process-1", event={"type": "WHP_ARCHIVE", "timestamp": f"{year}-01-01T00:00:00"}, **members)


def codes(reference: str = "process-1") -> list[str]:
    archive = catalogue.archive(reference)
    assert archive
    return [each.code for each in archive.discrepancies]


def with_amount(amount: int) -> list[dict[str, Any]]:
    return [sample_document()["payments"][0] | {"amount": amount}]


def test_version_that_a_delivery_makes_the_current_one_is_judged_though_its_run_was_killed() -> None:
    archived("process-1", body(2023, payments=with_amount(2500)))
    archived("process-1", body(2024))
    assert codes() == []
    again = received("process-1", body(2025, payments=with_amount(2500)))
    persist("process-1", again.receipt_id)
    load(read_material("process-1", again.receipt_id))  # and killed before anything was judged

    finished("process-1", again.receipt_id)

    assert codes() == ["AMOUNT_MISMATCH"]


def test_archive_without_the_discrepancies_that_were_found_is_not_complete() -> None:
    receipt_id = received("process-1", body(2023, payments=with_amount(2500))).receipt_id
    persist("process-1", receipt_id)
    material = read_material("process-1", receipt_id)
    load(material)

    with pytest.raises(Conflict):
        complete(material)


def test_peer_that_is_complete_already_is_told_of_and_keeps_it_in_its_object() -> None:
    payments, data = sample_document()["payments"], sample_document()["data"]
    archived("process-1", sample_body("process-1"))
    archived("process-2", sample_body("process-2", payments=payments, data=data))

    assert codes("process-1") == codes("process-2") == ["DUPLICATE_TRANSACTION"]
    for reference, other in (("process-1", "process-2"), ("process-2", "process-1")):
        kept = history.found_rows(ocfl.log_key(reference, "history/discrepancies.json"))
        assert [each["found"] for each in kept["discrepancy"]] == [f"also in {other}"]

    archived("process-2", sample_body("process-2", payments=[], data=[], note=json.dumps("its next version")))
    assert codes("process-1") == codes("process-2") == []
