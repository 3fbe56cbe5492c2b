"""`cellar list`, `show` and `rerun`, with archives on SQLite. Prefect does not answer, unless a test starts it."""

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from subprocess import PIPE, Popen

import httpx
import pytest
from pytest_httpserver import HTTPServer

from adapters.inbox import session_events
from adapters.settings.settings import Settings, settings
from adapters.tables.runs import refused
from cli.archives.archives import LISTED
from models.completeness.processes import SessionEventType
from models.runs.receipt import RefusedDelivery
from models.views.archives.archives import ArchivePage, ArchiveView
from services.completeness.session_events import take_in
from tests.cli.conftest import Cellar
from tests.conftest import LONGEST_S, free_port, make_tables, wait_until
from tests.installations import archived, deployed, installed
from tests.pdfs import SIGNER_NAME
from tests.records import buried
from tests.samples import sample_body
from tests.session_events import PERSON, body, journaled

DAY = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = "[/bold] \x1b[31mred\x1b[0m \u202e:smile:"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The references of three archives, newest first, on a wide terminal."""
    with installed(tmp_path_factory.mktemp("three"), COLUMNS=400):
        make_tables()
        for day, reference in enumerate(["first", "הסכם 2", HOSTILE], start=1):
            archived(reference, sample_body(reference), datetime(2026, 1, day, tzinfo=UTC))
        yield [HOSTILE, "הסכם 2", "first"]


@pytest.mark.usefixtures("three")
class TestList:
    def test_is_a_table_in_which_references_are_text(self, cellar: Cellar) -> None:
        result = cellar("list")

        assert (result.status, result.errors) == (0, "")
        shown = ("first", "הסכם 2", "completed", "2026-01-01 00:00", "[/bold] \\x1b[31mred\\x1b[0m \\u202e:smile:")
        assert [each for each in shown if each not in result.output] == []
        assert "\x1b" not in result.output

    def test_is_csv_for_spreadsheets_with_the_next_page_beside_it(self, cellar: Cellar) -> None:
        result = cellar("list", "--csv", "--limit", "2")

        rows = list(csv.DictReader(result.output.splitlines()))
        assert [tuple(each) for each in rows] == [LISTED] * 2
        assert [each["template"] for each in rows] == ["9fa70d4ccea84262b1ed2308a07a3fb4"] * 2
        assert "More: --cursor" in result.errors

    def test_is_json_for_scripts_and_continues_from_page_to_page(self, cellar: Cellar, three: list[str]) -> None:
        first = ArchivePage.model_validate_json(cellar("list", "--json", "--limit", "2").output)
        second = json.loads(cellar("list", "--json", "--limit", "2", "--cursor", str(first.next)).output)

        assert [each.reference for each in first.items] + [each["reference"] for each in second["items"]] == three
        assert second["next"] is None
        assert f"--cursor {first.next}" in cellar("list", "--limit", "2").output

    @pytest.mark.parametrize(
        ("option", "value", "found"),
        [
            ("--reference", "first", 1),
            ("--transaction-number", "31", 0),
            ("--label", "CUSTOMER_TAG=CUSTOMER_VALUE", 3),
            ("--state", "failed", 0),
            ("--received-after", "2026-01-01T12:00Z", 2),
            ("--q", "הסכם", 1),
        ],
    )
    def test_is_narrowed_by_filters(self, cellar: Cellar, option: str, value: str, found: int) -> None:
        result = cellar("list", "--json", option, value)

        assert (result.status, len(json.loads(result.output)["items"])) == (0, found)

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--state", "unknown"),
            ("--source", "nosuch"),
            ("--process-number", "many"),
            ("--received-before", "2026-02-30"),
            ("--label", "no equals sign"),
            ("--cursor", "of no page"),
            ("--limit", "0"),
            ("--colour", "red"),
        ],
    )
    def test_refuses_invalid_filter_values(self, cellar: Cellar, option: str, value: str) -> None:
        result = cellar("list", option, value)

        assert (result.status, result.output) == (2, "")
        assert option in result.errors


def test_open_prints_the_address_in_the_console(cellar: Cellar, three: list[str]) -> None:
    hostile = "%5B%2Fbold%5D%20%1B%5B31mred%1B%5B0m%20%E2%80%AE%3Asmile%3A"
    assert cellar("open", three[0]).output == f"{settings().receiver_url}/console/archives/{hostile}\n"
    assert (cellar("open", "no such").status, cellar("open", "no such").output) == (1, "")


class TestShow:
    def test_is_a_page_or_the_whole_archive_as_json(self, cellar: Cellar, three: list[str]) -> None:
        page = cellar("show", three[0])

        assert page.status == 0
        of_archive = ("completed, process 100", "deliveries", "SIGNEDDOCUMENT.pdf", "application/pdf", "21.00 ILS")
        of_document = (
            "Unchanged since it was signed. Who signed is not proved.",
            "not judged: no trusted roots were configured",
            SIGNER_NAME,
            "changes after it",
        )
        assert [each for each in (*of_archive, *of_document) if each not in page.output] == []
        assert "\x1b" not in page.output
        assert ArchiveView.model_validate_json(cellar("show", three[0], "--json").output).reference == three[0]

    def test_of_a_process_without_an_archive_says_why(self, cellar: Cellar, three: list[str]) -> None:
        digest = buried("erased")
        for reference in ("refused only", three[0]):
            reason = ("NOT_BASE64", "attachments[0].content", "too strict")
            refused.record([RefusedDelivery(f"of {reference}", "a" * 64, DAY, 10, *reason, reference, 100)])

        for reference, told in {
            "nowhere": ["UNKNOWN_REFERENCE"],
            "erased": ["ERASED", "Dana", "Noa", "the term is over", digest],
            "refused only": [
                "a delivery of this process was refused: NOT_BASE64 at attachments[0].content: too",
                "see `cellar quarantine show aaaaaaaaaa`",
            ],
        }.items():
            result = cellar("show", reference)
            assert (result.status, result.output) == (1, "")
            assert [each for each in told if each not in " ".join(result.errors.split())] == []
        of_archive = cellar("show", three[0]).output
        assert "refused deliveries" in of_archive
        assert "NOT_BASE64" in of_archive


def _end(prefect_url: str, run_id: str, state: str) -> None:
    wanted = {"state": {"type": state}, "force": True}
    httpx.post(f"{prefect_url}/flow_runs/{run_id}/set_state", json=wanted, timeout=LONGEST_S).raise_for_status()


class TestRerun:
    def test_says_that_it_starts_when_prefect_is_back(self, cellar: Cellar, three: list[str]) -> None:
        result = cellar("rerun", three[2])

        assert result.status == 0, result.errors
        assert f"{three[2]}: Prefect does not answer; the run will start when Prefect is back" in result.output
        assert "1 archive waits for the Prefect server since" in cellar("status").output

    def test_starts_a_run_or_reports_the_run_that_is_scheduled(
        self, cellar: Cellar, three: list[str], prefect_server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PREFECT_API_URL", prefect_server)
        settings.cache_clear()
        with deployed(prefect_server) as runs_of_deployment:
            started, again = (json.loads(cellar("rerun", *three[:2], "--json").output) for _ in range(2))
            reported = cellar("rerun", three[1])
            runs = {run["name"]: run for run in runs_of_deployment()}
        settings.cache_clear()

        assert started == again
        assert {each["reference"]: each["flow_run_id"] for each in started} == {
            reference: runs[reference]["id"] for reference in three[:2]
        }
        assert {each["state"] for each in started} == {"Scheduled"}
        assert all("trigger:rerun" in run["tags"] for run in runs.values())
        assert (reported.status, runs[three[1]]["id"] in reported.output) == (0, True)

    @pytest.mark.parametrize("last", ["COMPLETED", "FAILED"])
    def test_with_wait_follows_the_runs_and_returns_their_outcome(
        self,
        cellar: Cellar,
        three: list[str],
        prefect_server: str,
        httpserver: HTTPServer,
        monkeypatch: pytest.MonkeyPatch,
        last: str,
    ) -> None:
        """The re-runs are asked for while Prefect is away. The command that follows them starts them."""
        with deployed(prefect_server) as runs_of_deployment, ThreadPoolExecutor(1) as person:
            monkeypatch.setenv("PREFECT_API_URL", httpserver.url_for("/api"))  # it answers 500
            settings.cache_clear()
            following = person.submit(cellar, "rerun", *three[:2], "--wait", "--json")
            wait_until(lambda: len(httpserver.log) > 2)  # each was tried, and is tried again
            monkeypatch.setenv("PREFECT_API_URL", prefect_server)
            settings.cache_clear()
            wait_until(lambda: len(runs_of_deployment()) == 2)
            first, second = runs_of_deployment()
            _end(prefect_server, first["id"], "COMPLETED")
            _end(prefect_server, second["id"], last)
            result = following.result(LONGEST_S)
        settings.cache_clear()

        assert "Prefect does not answer; the run will start when Prefect is back" in result.errors
        assert result.status == (1 if last == "FAILED" else 0), result.errors
        ended = {each["flow_run_id"]: each["state"] for each in json.loads(result.output)}
        assert ended == {first["id"]: "Completed", second["id"]: last.capitalize()}

    @pytest.mark.usefixtures("three")
    def test_with_an_unknown_reference_asks_prefect_for_nothing(self, cellar: Cellar) -> None:
        result = cellar("rerun", "first", "nowhere", "--json")

        assert (result.status, result.output) == (1, "")
        assert "UNKNOWN_REFERENCE" in result.errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--received-after"],
        ["rerun", "--failed", "--dry-run", "--since"],
        ["endpoints", "redeliver", "--dry-run", "--until"],
    ],
    ids=" ".join,
)
def test_every_option_of_a_time_takes_a_day_and_an_age_and_refuses_an_impossible_day(
    cellar: Cellar, three: list[str], arguments: list[str]
) -> None:
    for text in ("yesterday", "7d", "2026-11-24"):
        ended = cellar(*arguments, text)
        assert ended.status != 2, ended.errors
    refused = cellar(*arguments, "31/02/2026 25:61")
    assert refused.status == 2
    shown = " ".join(re.sub(r"[│\s]+", " ", refused.errors).split())
    assert f"'{arguments[-1]}'" in shown
    assert "yesterday, 7d" in shown


def test_times_are_shown_and_read_in_the_zone_of_the_console(
    cellar: Cellar, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLAR_BUSINESS_TIMEZONE", "Asia/Tokyo")
    settings.cache_clear()
    listed, page = cellar("list", "--received-after", "2026-01-02").output, cellar("show", "first").output
    settings.cache_clear()

    assert "2026-01-02 09:00+09" in listed
    assert "first" not in listed
    assert "received 2026-01-01 09:00:00+09" in page
    assert "times are in Asia/Tokyo" in page


def test_unreachable_database_is_reported(cellar: Cellar, configure: Callable[..., Settings]) -> None:
    configure(database_url=f"postgresql://nobody@127.0.0.1:{free_port()}/cellar")

    for command in (["list"], ["show", "first"], ["rerun", "first"]):
        result = cellar(*command)

        assert (result.status, result.output) == (1, "")
        assert result.errors.startswith("cellar: the database does not answer")


@pytest.mark.usefixtures("three")
def test_command_exits_with_the_documented_status() -> None:
    expected = {("list", "--json"): 0, ("show", "nowhere"): 1, ("list", "--state", "unknown"): 2}
    processes = {
        arguments: Popen([sys.executable, "-m", "cli.main", *arguments], env=os.environ, stdout=PIPE, stderr=PIPE)
        for arguments in expected
    }
    ended = {arguments: (process, *process.communicate(timeout=LONGEST_S)) for arguments, process in processes.items()}

    assert {arguments: process.returncode for arguments, (process, _, _) in ended.items()} == expected
    assert len(json.loads(ended["list", "--json"][1])["items"]) == 3
    assert [errors for _, _, errors in ended.values() if b"Traceback" in errors] == []


@pytest.mark.usefixtures("sqlite_installation", "store_kind")
def test_show_lists_differences_between_two_versions(cellar: Cellar) -> None:
    archived("r", sample_body("r"))
    archived("r", sample_body("r", signatures=[]))

    (difference,) = json.loads(cellar("show", "r", "--diff", "1", "2", "--json").output)

    assert (difference["kind"], difference["change"]) == ("signature", "removed")
    assert "removed" in cellar("show", "r", "--diff", "1", "2").output
    assert "Nothing differs" in cellar("show", "r", "--diff", "1", "1").output
    assert cellar("show", "r", "--diff", "1", "3").status == 1


def test_process_of_which_only_events_came_is_shown_without_an_archive(
    cellar: Cellar, sqlite_installation: Settings
) -> None:
    journaled([body(kind, HOSTILE) for kind in SessionEventType])
    take_in(session_events.batches())

    shown, as_json = cellar("show", HOSTILE), cellar("show", HOSTILE, "--json")
    nothing = cellar("show", "nobody")

    assert (shown.status, as_json.status, nothing.status) == (1, 1, 1)
    assert "No archive of this process was received." in shown.output
    assert all(kind in shown.output for kind in SessionEventType)
    document = json.loads(as_json.output)
    assert (document["reference"], document["state"]) == (HOSTILE, None)
    assert {each["what"] for each in document["timeline"]} == set(SessionEventType)
    assert PERSON not in shown.output + as_json.output
    assert "no archive of this process was received" in nothing.errors
