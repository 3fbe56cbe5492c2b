"""`cellar settle` shows what it found in settlement reports, and reports open findings by its exit status."""

import json
import shutil
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from adapters.settings.settings import Settings, settings
from adapters.store import seals
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.domain.settled import day
from tests.settlements import COLUMNS, everything, line, paid, report


@pytest.fixture(autouse=True)
def _installation(configure: Configure, sqlite_installation: Settings, tmp_path: Path) -> None:
    (tmp_path / "columns.toml").write_text(COLUMNS)
    configure(settlement_columns="columns.toml")
    paid("right", "c1")
    paid("wrong", "c2")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def _write(*lines: str, name: str = "report.csv") -> str:
        (tmp_path / name).write_bytes(report(*lines))
        return str(tmp_path / name)

    return _write


def test_report_without_findings_exits_with_0(cellar: Cellar, write: Callable[..., str]) -> None:
    done = cellar("settle", write(line("c1"), line("c2")))

    assert done.status == 0
    assert "2 rows, 2 of them new: 2 matched, 0 missing in archive" in done.output
    assert [text for text in ("2026-01-03", "ILS", "42.00") if text not in done.output] == []


def test_findings_are_shown_and_exit_with_1(cellar: Cellar, write: Callable[..., str]) -> None:
    done = cellar("settle", write(line("c1"), line("c2", amount="20.00"), line("c3", settled=day(3))))

    assert done.status == 1
    assert "SETTLED_AMOUNT_MISMATCH: wrong: expected 21.00 ILS, found 20.00 ILS" in done.output
    assert "MISSING_IN_ARCHIVE: (no archive): expected a payment for the charge of 21.00 ILS" in done.output
    assert "3 rows, 3 of them new: 2 matched, 1 missing in archive, 0 missing in settlement" in done.output


def test_explained_findings_are_shown_as_explained_and_exit_with_0(cellar: Cellar, write: Callable[..., str]) -> None:
    file = write(line("c1"), line("c2", amount="20.00"))
    cellar("settle", file)
    cellar("explain", "wrong", "SETTLED_AMOUNT_MISMATCH", "--why", "one shekel was waived")

    for done in (cellar("settle", file, "--dry-run"), cellar("settle", file)):
        assert done.status == 0
        assert "SETTLED_AMOUNT_MISMATCH (explained): wrong: expected 21.00 ILS" in done.output
    assert [each["is_explained"] for each in json.loads(cellar("settle", file, "--json").output)["findings"]] == [True]


EACH_SIDE = {
    "missing_in_archive": ["MISSING_IN_ARCHIVE"],
    "missing_in_settlement": ["MISSING_IN_SETTLEMENT"] * 3,
    "ambiguous": ["AMBIGUOUS_MATCH"],
    "differing": ["SETTLED_AMOUNT_MISMATCH", "SETTLED_CURRENCY_MISMATCH", "SETTLED_LATE"],
    "taken_back": ["CHARGED_BACK", "REFUNDED"],
}


def test_findings_are_counted_by_kind(cellar: Cellar, write: Callable[..., str]) -> None:
    for number, reference in enumerate(["missed", "first", "second", "abroad", "late", "returned"], 3):
        paid(reference, "c4" if reference == "second" else f"c{number}")
    returned = [line("c8"), line("c8", kind="refund", amount="5.00"), line("c8", kind="chargeback", amount="1.00")]
    lines = [line("c1"), line("c2", amount="20.00"), line("c4"), line("c6", currency="JPY"), line("none"), *returned]
    file = write(*lines, line("c7", settled=day(8)))

    reported = json.loads(cellar("settle", file, "--dry-run", "--json").output)
    done = cellar("settle", file)

    assert {side: reported[side] for side in EACH_SIDE} == {side: len(codes) for side, codes in EACH_SIDE.items()}
    assert sorted(each["code"] for each in reported["findings"]) == sorted(chain.from_iterable(EACH_SIDE.values()))
    sides = "1 missing in archive, 3 missing in settlement, 1 ambiguous, 3 differing, 2 taken back"
    assert (done.status, f"9 rows, 9 of them new: 7 matched, {sides}" in done.output) == (1, True)
    assert [(each["settled_on"], each["currency"], each["entries"]) for each in reported["totals"]] == [
        ("2026-01-03", "ILS", 7),
        ("2026-01-03", "JPY", 1),
        ("2026-01-09", "ILS", 1),
    ]


def test_dry_run_on_a_new_store_leaves_it_empty(cellar: Cellar, write: Callable[..., str]) -> None:
    shutil.rmtree(settings().store_location)  # with the key of the fingerprints
    seals._fingerprint_key.cache_clear()

    shown = cellar("settle", write(line("c1"), line("c1", amount="1.00")), "--dry-run", "--json")

    assert json.loads(shown.output)["missing_in_archive"] == 2
    assert [path for path in Path(settings().store_location).rglob("*") if path.is_file()] == []


def test_wrong_line_is_named_and_no_file_is_imported(cellar: Cellar, write: Callable[..., str]) -> None:
    before = everything()

    done = cellar("settle", write(line("c1")), write(line("c2", amount="4580000011112222x"), name="wrong.csv"))

    assert (done.status, "line 2, column amount" in done.errors, "wrong.csv" in done.errors) == (2, True, True)
    assert "4580" not in done.errors + done.output
    assert everything() == before


def test_missing_setting_of_columns_exits_with_2(
    cellar: Cellar, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    monkeypatch.delenv("CELLAR_SETTLEMENT_COLUMNS")
    configure()

    done = cellar("settle", write(line("c1")))

    assert (done.status, "CELLAR_SETTLEMENT_COLUMNS" in done.errors) == (2, True)


@pytest.mark.parametrize("arguments", [[], ["no such file.csv"]])
def test_wrong_use_exits_with_2(cellar: Cellar, arguments: list[str]) -> None:
    assert cellar("settle", *arguments).status == 2


def test_wrong_columns_are_refused_at_the_start(cellar: Cellar, tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "wrong.toml").write_text("amount_unit = 'pounds'")

    with pytest.raises(ValueError, match="CELLAR_SETTLEMENT_COLUMNS: BAD_SETTLEMENT_COLUMNS at"):
        configure(settlement_columns="wrong.toml")

    with pytest.raises(ValueError, match="CELLAR_SETTLEMENT_COLUMNS"):
        configure(settlement_columns="none.toml")
    assert cellar("list").status == 2
