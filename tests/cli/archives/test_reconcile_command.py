"""`cellar reconcile` shows how a list differs, and says so by its exit status."""

import json
from pathlib import Path

import pytest

from adapters.settings.settings import Settings
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.lists import DESTINATION, HEADS, local, workbook
from tests.records import archived

CREATED = local(2026, 1, 1, 9)


@pytest.fixture
def file(sqlite_installation: Settings, tmp_path: Path) -> str:
    for number in (100, 101):
        archived(f"r{number}", process_number=number, created_at="2026-01-01T09:00:00")
    return str(tmp_path / "processes.xlsx")


def written(file: str, *numbers: object) -> None:
    workbook(Path(file), [HEADS, *((number, CREATED, "Loans", DESTINATION) for number in numbers)])


def test_list_that_agrees_exits_with_0(cellar: Cellar, file: str) -> None:
    written(file, 100, 101)
    done = cellar("reconcile", file)
    assert (done.status, done.errors) == (0, "")
    assert done.output.startswith("2 rows (workbook): 2 archived, 0 not due, 0 missing, 0 unknown there")


def test_differences_are_a_table_and_exit_with_1(cellar: Cellar, file: str) -> None:
    written(file, 100, 101, 101, 102, "12a")
    assert "no finding was recorded" in cellar("reconcile", file, "--dry-run").output
    done = cellar("reconcile", file)
    lines = [line.split() for line in done.output.splitlines()]
    assert done.status == 1
    assert any(line[:4] == ["missing", "102", "5", "once"] and "deleted" in line for line in lines)
    assert any(line[:3] == ["different", "count", "101"] for line in lines)
    assert "row 6, column #: BAD_NUMBER: expected a whole number" in done.output
    assert "4 rows (workbook): 3 archived, 0 not due, 1 missing" in done.output
    assert "1 of the missing processes are new findings" in done.output
    assert DESTINATION not in done.output + done.errors


def test_json_has_all_differences(cellar: Cellar, file: str) -> None:
    written(file, *range(100, 200))
    done = cellar("reconcile", file, "--json")
    shown = json.loads(done.output)
    counts = [shown[name] for name in ("rows", "matched", "missing", "new_findings")]
    assert (done.status, counts, len(shown["differences"])) == (1, [100, 2, 98, 98], 98)
    assert {"kind", "process_number", "rows", "deadline_at", "missing_id"} <= shown["differences"][0].keys()


@pytest.mark.parametrize("content", ["", "<html>", "a,b\n1,2\n"])
def test_wrong_file_exits_with_2_and_says_what_was_expected(cellar: Cellar, file: str, content: str) -> None:
    assert cellar("reconcile", file).status == 2
    Path(file).write_text(content)
    done = cellar("reconcile", file)
    assert (done.status, done.output) == (2, "")
    assert done.errors.startswith(f"cellar reconcile: {file}: ")
    assert done.errors.endswith("nothing was recorded\n")
    assert "expected" in done.errors


def test_wrong_columns_file_stops_the_command(cellar: Cellar, file: str, configure: Configure, tmp_path: Path) -> None:
    written(file, 100)
    (tmp_path / "columns.toml").write_text("[columns]\nnumber = 1\n")
    with pytest.raises(ValueError, match="BAD_LIST_COLUMNS"):
        configure(list_columns="columns.toml")
    done = cellar("reconcile", file)
    assert done.status == 2
    assert "CELLAR_LIST_COLUMNS: BAD_LIST_COLUMNS at columns.number" in done.errors
