"""`cellar rerun --failed` and `cellar bulk`, with failed archives on SQLite. Prefect does not answer."""

import json
import os
import pty
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from subprocess import Popen
from typing import Any

import pytest

from models.archive.archive import State
from tests.bulk import fill, filled
from tests.cli.conftest import Cellar
from tests.conftest import make_tables
from tests.installations import installed


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Three failed archives of two causes and two templates, and a complete archive."""
    with installed(tmp_path_factory.mktemp("failures"), COLUMNS=100):
        make_tables()
        fill([filled(1), filled(2), filled(3, State.COMPLETED)])
        fill([filled(4, cause="RUN_TIMEOUT")], template="permit")
        yield


def planned(cellar: Cellar, *options: str) -> Any:
    ended = cellar("rerun", "--failed", "--dry-run", "--json", *options)
    assert (ended.status, ended.errors) == (0, "")
    return json.loads(ended.output)


@pytest.mark.usefixtures("failures")
class TestRerunFailed:
    def test_dry_run_prints_the_plan_in_a_hundred_columns_and_runs_nothing(self, cellar: Cellar) -> None:
        ended = cellar("rerun", "--failed", "--dry-run")

        assert ended.status == 0
        assert max(map(len, ended.output.splitlines())) <= 100
        for told in ("3 archives would be run again", "STORE_AWAY in persist-files", "permit", "an unknown time"):
            assert told in ended.output
        assert {each["state"] for each in json.loads(cellar("list", "--json").output)["items"]} == {
            "failed",
            "completed",
        }

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            ((), 3),
            (("--cause", "RUN_TIMEOUT"), 1),
            (("--template", "lease"), 2),
            (("--template", "lease", "--cause", "RUN_TIMEOUT"), 0),
            (("--since", "2026-01-01T00:00Z"), 3),
            (("--until", "2026-01-01T00:00Z"), 0),
        ],
    )
    def test_filters_choose_the_archives(self, cellar: Cellar, options: tuple[str, ...], count: int) -> None:
        assert planned(cellar, *options)["planned"] == count

    def test_needs_yes_where_no_terminal_can_answer(self, cellar: Cellar) -> None:
        ended = cellar("rerun", "--failed")

        assert (ended.status, ended.output) == (2, "")
        assert "add --yes" in ended.errors

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ((), "expected either process references, or --failed"),
            (("filled-000001", "--failed"), "expected either process references, or --failed"),
            (("filled-000001", "--cause", "X"), "belong to --failed"),
            (("--failed", "--since", "soon"), "--since"),
        ],
    )
    def test_wrong_use_is_refused(self, cellar: Cellar, arguments: tuple[str, ...], told: str) -> None:
        ended = cellar("rerun", *arguments)

        assert ended.status == 2
        assert told in " ".join(re.sub(r"[│\s]+", " ", ended.errors).split())

    def test_without_failed_archives_there_is_nothing_to_do(self, cellar: Cellar) -> None:
        ended = cellar("rerun", "--failed", "--yes", "--cause", "NEVER_SEEN")

        assert ended.status == 0
        assert "No archive would be run again." in ended.output

    def test_asks_on_a_terminal_and_no_changes_nothing(self, cellar: Cellar) -> None:
        ours, theirs = pty.openpty()
        with Popen([sys.executable, "-m", "cli.main", "rerun", "--failed"], stdin=theirs, stdout=theirs, stderr=theirs):
            os.close(theirs)
            shown = _until(ours, "[y/N]")
            os.write(ours, b"n\n")
            shown += _until(ours, "Nothing was changed.")
        os.close(ours)

        assert "Run 3 archives again?" in shown
        assert json.loads(cellar("bulk", "list", "--json").output)["items"][0]["state"] == "planned"


def _until(terminal: int, text: str) -> str:
    shown = ""
    with suppress(OSError):  # Linux reports the end of a terminal so
        while text not in shown and (chunk := os.read(terminal, 4096)):
            shown += chunk.decode()
    assert text in shown, shown
    return shown


@pytest.mark.usefixtures("failures")
class TestBulk:
    def test_plan_is_listed_shown_and_discarded(self, cellar: Cellar) -> None:
        bulk_id = planned(cellar)["id"]

        assert bulk_id in cellar("bulk", "list").output
        shown = cellar("bulk", "show", bulk_id).output
        assert max(map(len, shown.splitlines())) <= 100
        assert "3 archives would be run again" in shown
        assert cellar("bulk", "abort", bulk_id).status == 0
        record = json.loads(cellar("bulk", "show", bulk_id, "--json").output)
        assert (record["state"], record["items"]) == ("aborted", [])
        assert [each["what"] for each in record["actions"]] == ["planned", "aborted"]

    @pytest.mark.parametrize("command", ["show", "pause", "resume", "abort"])
    def test_unknown_id_is_an_error(self, cellar: Cellar, command: str) -> None:
        ended = cellar("bulk", command, "nothing")

        assert ended.status == 1
        assert "UNKNOWN_BULK_RERUN" in ended.errors

    def test_plan_cannot_be_paused(self, cellar: Cellar) -> None:
        ended = cellar("bulk", "pause", planned(cellar)["id"])

        assert ended.status == 1
        assert "expected a bulk re-run that is running; this bulk re-run is planned" in ended.errors
