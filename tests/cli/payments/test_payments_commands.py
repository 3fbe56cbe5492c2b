"""`cellar settle`, `cellar explain` and `cellar discrepancies list`: what they show, and their exit status."""

import json
import shutil
import socket
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from adapters.settings.settings import Settings, settings
from adapters.store import seals
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.domain.settled import day
from tests.installations import archived
from tests.samples import sample_body, sample_document
from tests.settlements import COLUMNS, everything, imported, line, paid, report

ME = f"dana@{socket.gethostname()}"


@pytest.fixture(autouse=True)
def _installation(
    configure: Configure, sqlite_installation: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("LOGNAME", "dana")
    (tmp_path / "columns.toml").write_text(COLUMNS)
    configure(settlement_columns="columns.toml")


def written(*lines: str, name: str = "report.csv") -> str:
    """Write a report into the current folder, and return its name."""
    Path(name).write_bytes(report(*lines))
    return name


EACH_SIDE = {
    "missing_in_archive": ["MISSING_IN_ARCHIVE"],
    "missing_in_settlement": ["MISSING_IN_SETTLEMENT"] * 3,
    "ambiguous": ["AMBIGUOUS_MATCH"],
    "differing": ["SETTLED_AMOUNT_MISMATCH", "SETTLED_CURRENCY_MISMATCH", "SETTLED_LATE"],
    "taken_back": ["CHARGED_BACK", "REFUNDED"],
}


def test_findings_are_shown_and_counted_by_kind_and_exit_with_1(cellar: Cellar) -> None:
    for number, reference in enumerate(["right", "wrong", "missed", "first", "second", "abroad", "late", "returned"]):
        paid(reference, "c3" if reference == "second" else f"c{number}")
    returned = [line("c7"), line("c7", kind="refund", amount="5.00"), line("c7", kind="chargeback", amount="1.00")]
    lines = [line("c0"), line("c1", amount="20.00"), line("c3"), line("c5", currency="JPY"), line("none"), *returned]
    file = written(*lines, line("c6", settled=day(8)))

    reported = json.loads(cellar("settle", file, "--dry-run", "--json").output)
    done = cellar("settle", file)

    assert {side: reported[side] for side in EACH_SIDE} == {side: len(codes) for side, codes in EACH_SIDE.items()}
    assert sorted(each["code"] for each in reported["findings"]) == sorted(chain.from_iterable(EACH_SIDE.values()))
    assert done.status == 1
    for told in (
        "9 rows, 9 of them new: 7 matched, "
        "1 missing in archive, 3 missing in settlement, 1 ambiguous, 3 differing, 2 taken back",
        "SETTLED_AMOUNT_MISMATCH: wrong: expected 21.00 ILS, found 20.00 ILS",
        "MISSING_IN_ARCHIVE: (no archive): expected a payment for the charge of 21.00 ILS",
    ):
        assert told in done.output
    assert [(each["settled_on"], each["currency"], each["entries"]) for each in reported["totals"]] == [
        ("2026-01-03", "ILS", 7),
        ("2026-01-03", "JPY", 1),
        ("2026-01-09", "ILS", 1),
    ]


def test_report_without_findings_or_with_explained_findings_exits_with_0(cellar: Cellar) -> None:
    paid("right", "c1")
    done = cellar("settle", written(line("c1")))
    assert (done.status, "1 rows, 1 of them new: 1 matched, 0 missing in archive" in done.output) == (0, True)

    paid("wrong", "c2")
    file = written(line("c1"), line("c2", amount="20.00"))
    assert cellar("settle", file).status == 1
    assert cellar("explain", "wrong", "SETTLED_AMOUNT_MISMATCH", "--why", "one shekel was waived").status == 0
    for done in (cellar("settle", file, "--dry-run"), cellar("settle", file)):
        assert done.status == 0
        assert "SETTLED_AMOUNT_MISMATCH (explained): wrong: expected 21.00 ILS" in done.output
    assert [each["is_explained"] for each in json.loads(cellar("settle", file, "--json").output)["findings"]] == [True]


def test_dry_run_on_a_new_store_leaves_it_empty(cellar: Cellar) -> None:
    seals.fingerprint("69796709")
    shutil.rmtree(settings().store_location)  # with the key of the fingerprints
    seals._fingerprint_key.cache_clear()

    shown = cellar("settle", written(line("c1"), line("c1", amount="1.00")), "--dry-run", "--json")

    assert json.loads(shown.output)["missing_in_archive"] == 2
    assert [path for path in Path(settings().store_location).rglob("*") if path.is_file()] == []


def test_wrong_line_is_named_and_no_file_is_imported(cellar: Cellar) -> None:
    before = everything()

    done = cellar("settle", written(line("c1")), written(line("c2", amount="4580000011112222x"), name="wrong.csv"))

    assert (done.status, "line 2, column amount" in done.errors, "wrong.csv" in done.errors) == (2, True, True)
    assert "4580" not in done.errors + done.output
    assert everything() == before
    for arguments in ([], ["no such file.csv"]):
        assert cellar("settle", *arguments).status == 2


def test_missing_or_wrong_columns_are_refused(
    cellar: Cellar, monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    monkeypatch.delenv("CELLAR_SETTLEMENT_COLUMNS")
    configure()
    done = cellar("settle", written(line("c1")))
    assert (done.status, "CELLAR_SETTLEMENT_COLUMNS" in done.errors) == (2, True)

    Path("wrong.toml").write_text("amount_unit = 'pounds'")
    for name, told in (("none.toml", ""), ("wrong.toml", ": BAD_SETTLEMENT_COLUMNS at")):
        with pytest.raises(ValueError, match=f"CELLAR_SETTLEMENT_COLUMNS{told}"):
            configure(settlement_columns=name)
    assert cellar("list").status == 2


def archived_with_discrepancies() -> None:
    """Archive a payment of another amount than the provider's total, and two fields without a payment."""
    document = sample_document()
    document["payments"][0]["amount"] = 2500
    document["data"] += [{"type": "payment", "id": each, "value": each} for each in ("no payment", "nor this")]
    archived("process-1", sample_body("process-1", payments=document["payments"], data=document["data"]))


def of_the_archive(cellar: Cellar, code: str) -> list[dict[str, Any]]:
    archive = json.loads(cellar("show", "process-1", "--json").output)
    return [each for each in archive["discrepancies"] if each["code"] == code]


def test_discrepancy_of_an_archive_is_explained_by_code_transaction_or_id(cellar: Cellar) -> None:
    archived_with_discrepancies()
    for _ in range(2):
        done = cellar("explain", "process-1", "AMOUNT_MISMATCH", "--why", "a tip")
        assert (done.status, done.errors) == (0, "")
        assert f"AMOUNT_MISMATCH of process-1 is explained by {ME}: a tip\n" in done.output
    (found,) = of_the_archive(cellar, "AMOUNT_MISMATCH")
    assert (found["state"], found["explanation"]["by"], found["explanation"]["why"]) == ("explained", ME, "a tip")
    printed = json.loads(cellar("explain", "process-1", "AMOUNT_MISMATCH", "--why", "a tip", "--json").output)
    assert (printed["discrepancy_id"], printed["state"]) == (found["discrepancy_id"], "explained")
    shown = cellar("show", "process-1").output
    assert all(each in shown for each in (found["sentence"], "explained", f"a tip ({ME}, "))

    several = cellar("explain", "process-1", "FIELD_WITHOUT_PAYMENT", "--why", "paid in cash", "--by", "Ron")
    assert (several.status, "SEVERAL_DISCREPANCIES" in several.errors) == (1, True)
    one = ("--transaction", "nor this", "--why", "paid in cash", "--by", "Ron")
    assert cellar("explain", "process-1", "FIELD_WITHOUT_PAYMENT", *one).status == 0
    (left,) = (each for each in of_the_archive(cellar, "FIELD_WITHOUT_PAYMENT") if each["state"] == "open")
    assert left["transaction_id"] == "no payment"
    assert cellar("explain", "process-1", left["discrepancy_id"], "--why", "the same").status == 0
    assert {each["state"] for each in of_the_archive(cellar, "FIELD_WITHOUT_PAYMENT")} == {"explained"}


def listed(cellar: Cellar, *arguments: str) -> list[str]:
    found = json.loads(cellar("discrepancies", "list", "--json", *arguments).output)
    return [each["discrepancy_id"] for each in found["items"]]


def test_discrepancy_without_an_archive_is_listed_and_explained_by_id(cellar: Cellar) -> None:
    imported(report(line("of nobody"), line("nor of somebody")))
    first, second = listed(cellar, "--code", "MISSING_IN_ARCHIVE", "--reference", "")
    assert cellar("explain", "--id", first, "--why", "another till's", "--by", "Dana").status == 0

    assert (listed(cellar, "--state", "explained"), listed(cellar, "--state", "open")) == ([first], [second])
    shown = cellar("discrepancies", "list")
    assert (shown.status, f"another till's ({ME}, " in shown.output) == (0, True)
    assert all(each in shown.output for each in (first, second, "a payment for the charge of 21.00 ILS"))
    cursor = cellar("discrepancies", "list", "--limit", "1").output.rpartition("--cursor ")[2].strip()
    assert listed(cellar, "--cursor", cursor) == listed(cellar)[1:]


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (("discrepancies", "list", "--code", "X"), 2, "--code"),
        (("discrepancies", "list", "--cursor", "X"), 2, "--cursor"),
        (("explain", "--id", "unknown", "--why", "w"), 1, "UNKNOWN_DISCREPANCY"),
        (("explain", "process-1", "MISSING_IN_ARCHIVE", "--id", "any", "--why", "w"), 2, "--id"),
        (("explain", "process-1", "--why", "w"), 2, "--id"),
        (("explain", "--why", "w"), 2, "--id"),
        (("explain", "process-1", "BAD_AMOUNT", "--why", "w"), 1, "UNKNOWN_DISCREPANCY"),
        (("explain", "process-1", "AMOUNT_MISMATCH", "--why", "w", "--transaction", "other"), 1, "UNKNOWN_DISCREPANCY"),
        (("explain", "process-1", "AMOUNT_MISMATCH", "--why", " "), 2, "--why"),
        (("explain", "process-1", "AMOUNT_MISMATCH"), 2, "--why"),
    ],
)
def test_wrong_use_names_the_option_or_the_unknown_discrepancy(
    cellar: Cellar, arguments: tuple[str, ...], status: int, error: str
) -> None:
    archived_with_discrepancies()

    result = cellar(*arguments)

    assert (result.status, result.output) == (status, "")
    assert error in result.errors
