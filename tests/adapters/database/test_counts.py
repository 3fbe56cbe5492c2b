"""Rows are counted by labels that are all known from the code."""

import json

from adapters.database.counts import counts
from adapters.settings.settings import Settings
from tests.installations import archived
from tests.samples import sample_document


def test_empty_database_has_a_zero_for_each_label(installation: Settings) -> None:
    found = counts()

    assert found.archives == {(state,): 0 for state in ("received", "processing", "completed", "failed")}
    assert found.notifications == {(state,): 0 for state in ("pending", "delivered", "dead", "skipped")}
    assert ("AMOUNT_MISMATCH", "open") in found.discrepancies
    assert set(found.discrepancies.values()) == {0}


def test_archives_and_discrepancies_are_counted(installation: Settings) -> None:
    document = sample_document()
    document["payments"][0]["amount"] += 1
    archived("counted", json.dumps(document | {"reference": "counted"}).encode())

    found = counts()

    assert found.archives["completed",] == 1
    assert found.discrepancies["AMOUNT_MISMATCH", "open"] == 1
