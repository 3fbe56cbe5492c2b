"""`cellar explain` records why a discrepancy is in order, and `cellar show` shows the explanation."""

import json
import socket
from typing import Any

import pytest

from adapters.settings.settings import Settings
from tests.cli.conftest import Cellar
from tests.installations import archived
from tests.samples import sample_body, sample_document

ME = f"dana@{socket.gethostname()}"
FIELD = {"type": "payment", "id": "another", "value": "no such transaction"}
OTHER_FIELD = FIELD | {"value": "nor this"}


@pytest.fixture(autouse=True)
def _archive(sqlite_installation: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("LOGNAME", "dana")
    document = sample_document()
    document["payments"][0]["amount"] = 2500
    data = [*document["data"], FIELD, OTHER_FIELD]
    archived("process-1", sample_body("process-1", payments=document["payments"], data=data))


def discrepancies(cellar: Cellar, code: str) -> list[dict[str, Any]]:
    archive = json.loads(cellar("show", "process-1", "--json").output)
    return [each for each in archive["discrepancies"] if each["code"] == code]


def test_discrepancy_is_explained_by_its_code(cellar: Cellar) -> None:
    for _ in range(2):
        done = cellar("explain", "process-1", "AMOUNT_MISMATCH", "--why", "a tip")
        assert (done.status, done.errors) == (0, "")
        assert f"AMOUNT_MISMATCH of process-1 is explained by {ME}: a tip\n" in done.output

    (found,) = discrepancies(cellar, "AMOUNT_MISMATCH")
    assert (found["state"], found["explanation"]["by"], found["explanation"]["why"]) == ("explained", ME, "a tip")
    printed = json.loads(cellar("explain", "process-1", "AMOUNT_MISMATCH", "--why", "a tip", "--json").output)
    assert (printed["discrepancy_id"], printed["state"]) == (found["discrepancy_id"], "explained")
    shown = cellar("show", "process-1").output
    assert all(each in shown for each in (found["sentence"], "explained", f"a tip ({ME}, "))


def test_one_of_several_discrepancies_is_explained_by_transaction_or_id(cellar: Cellar) -> None:
    several = cellar("explain", "process-1", "FIELD_WITHOUT_PAYMENT", "--why", "paid in cash", "--by", "Ron")
    assert (several.status, "SEVERAL_DISCREPANCIES" in several.errors) == (1, True)

    one = ("--transaction", "nor this", "--why", "paid in cash", "--by", "Ron")
    assert cellar("explain", "process-1", "FIELD_WITHOUT_PAYMENT", *one).status == 0
    states = {each["transaction_id"]: each["state"] for each in discrepancies(cellar, "FIELD_WITHOUT_PAYMENT")}
    assert states == {"nor this": "explained", "no such transaction": "open"}

    (left,) = (each for each in discrepancies(cellar, "FIELD_WITHOUT_PAYMENT") if each["state"] == "open")
    assert cellar("explain", "process-1", left["discrepancy_id"], "--why", "the same").status == 0
    assert {each["state"] for each in discrepancies(cellar, "FIELD_WITHOUT_PAYMENT")} == {"explained"}


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (("process-1", "BAD_AMOUNT", "--why", "w"), 1, "UNKNOWN_DISCREPANCY"),
        (("nowhere", "AMOUNT_MISMATCH", "--why", "w"), 1, "UNKNOWN_DISCREPANCY"),
        (("process-1", "AMOUNT_MISMATCH", "--why", "w", "--transaction", "another"), 1, "UNKNOWN_DISCREPANCY"),
        (("process-1", "AMOUNT_MISMATCH", "--why", " "), 2, "--why"),
        (("process-1", "AMOUNT_MISMATCH"), 2, "--why"),
    ],
)
def test_unknown_discrepancy_or_missing_reason_is_refused(
    cellar: Cellar, arguments: tuple[str, ...], status: int, error: str
) -> None:
    result = cellar("explain", *arguments)

    assert (result.status, result.output) == (status, "")
    assert error in result.errors
