import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
import typer
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner
from werkzeug import Request, Response

from cli.simulation.payloads.forms import LOAN_HE
from cli.simulation.payloads.scenarios import Outcome, SimulatedArchive, simulated_archives
from cli.simulation.simulate import simulate
from models.errors import WrongUse

SECRET, TOKEN = "the sender's", "the reader's"
SEED = 11
COUNT = 5  # the last archive is refused
MISMATCH = 2  # the number of the archive with a wrong amount


@cache
def archives() -> list[SimulatedArchive]:
    """Return the archives that `simulate` sends, at another time. Scenarios and references depend only on the seed."""
    return list(simulated_archives(COUNT, seed=SEED, now=datetime(2026, 11, 24, tzinfo=UTC)))


class SimulatedCellar:
    """An HTTP server that answers the archives of `SEED`, in their order, as a receiver should.

    `overrides` replaces members of an archive's answer, by number. If `is_late`, the API does not know an archive at
    the first request.
    """

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.overrides: dict[int, dict[str, Any]] = {}
        self.is_late = False
        self.received: list[bytes] = []
        self.events: list[dict[str, Any]] = []
        self.status_of_events = "0"
        self._asked: set[str] = set()
        for path in ("/webhooks/cellosign", "/webhooks/cellosign/branch"):
            server.expect_request(path, method="POST").respond_with_handler(self._take)
        for number, one in enumerate(archives()):
            path = f"/api/archives/{one.reference}"
            server.expect_request(path, method="GET").respond_with_handler(self._reader(number, one))

    def list(self, pages: list[list[str | None]]) -> None:
        """List archives of these templates, in these pages; None is the hello archive before it is loaded.

        Without pages the API does not work.
        """

        def respond(request: Request) -> Response:
            if not pages:
                return as_json({"detail": "away"}, status=503)
            number = int(request.args.get("cursor", 0))
            following = str(number + 1) if number + 1 < len(pages) else None
            items = [{"reference": each or "hello-cellar", "template_id": each} for each in pages[number]]
            return as_json({"items": items, "next": following})

        self.server.expect_request("/api/archives", method="GET").respond_with_handler(respond)

    @property
    def url(self) -> str:
        return self.server.url_for("")

    def _take(self, request: Request) -> Response:
        if request.headers["Authorization"] != f"Bearer {SECRET}":
            return as_json({"status": "-1", "document": None, "errordesc": "UNAUTHORISED"}, status=401)
        assert request.headers["Content-Type"] == "application/json"
        if b"WHEF_" in request.get_data():
            self.events.append(json.loads(request.get_data()))
            return as_json({"status": self.status_of_events, "document": {"reference": "…"}, "errordesc": ""})
        expectation = archives()[len(self.received)].expectation
        self.received.append(request.get_data())
        if expectation.status == "0":
            return as_json({"status": "0", "document": {"reference": "…", "public_link": "…"}, "errordesc": ""})
        return as_json({"status": "-1", "document": None, "errordesc": "it is wrong"}, status=422)

    def _is_too_early(self, reference: str) -> bool:
        first = reference not in self._asked
        self._asked.add(reference)
        return self.is_late and first

    def _reader(self, number: int, archive: SimulatedArchive) -> Any:
        def respond(request: Request) -> Response:
            if request.headers["Authorization"] != f"Bearer {TOKEN}":
                return as_json({"detail": "no"}, status=401)
            if archive.expectation.state is None or self._is_too_early(archive.reference):
                return as_json({"detail": "unknown"}, status=404)
            return as_json(reported_as(archive.expectation) | self.overrides.get(number, {}))

        return respond


def as_json(document: object, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")


def reported_as(expectation: Outcome) -> dict[str, Any]:
    return {
        "state": expectation.state,
        "files": [{"role": "attachment"}] * expectation.files,
        "warnings": [{"code": code, "where": "…"} for code in expectation.warnings] * 2,
        "discrepancies": [{"code": code} for code in expectation.discrepancies],
        "payments": [{"standing": standing} for standing in expectation.standings],
    }


@pytest.fixture
def cellar(httpserver: HTTPServer) -> Iterator[SimulatedCellar]:
    yield SimulatedCellar(httpserver)
    httpserver.check_assertions()


def simulate_against(url: str, **options: Any) -> int:
    """Run the command without its question, and return the exit status."""
    given: dict[str, Any] = {"count": COUNT, "secret": SECRET, "api_token": TOKEN, "seed": SEED, "yes": True}
    try:
        simulate(url=url, **given | options)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def test_receiver_that_does_all_as_expected_gives_status_0_and_a_table(
    cellar: SimulatedCellar, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate_against(cellar.url) == 0
    assert len(cellar.received) == COUNT
    printed = capsys.readouterr().out
    assert printed.count(" yes ") == COUNT
    assert f"{COUNT} sent, {COUNT} as expected, seed {SEED}" in printed


def test_archive_that_the_api_does_not_know_yet_is_requested_again(cellar: SimulatedCellar) -> None:
    cellar.is_late = True
    assert simulate_against(cellar.url, count=2) == 0


def test_json_output_is_one_document_with_expected_and_found(
    cellar: SimulatedCellar, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate_against(cellar.url, json_output=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["seed"], document["error"]) == (True, SEED, "")
    mismatch = document["archives"][MISMATCH]
    assert mismatch["scenario"] == "charge-amount-mismatch"
    assert mismatch["expected"]["discrepancies"] == mismatch["found"]["discrepancies"] == ["AMOUNT_MISMATCH"]
    assert mismatch["differences"] == []


@pytest.mark.parametrize(
    ("reported", "difference"),
    [
        ({"state": "failed"}, "state"),
        ({"files": []}, "files"),
        ({"warnings": [{"code": "WRONG_TYPE"}]}, "warnings"),
        ({"discrepancies": []}, "discrepancies"),
        ({"payments": [{"standing": "unknown"}]}, "standings"),
    ],
)
def test_each_difference_from_the_expectation_is_named_and_gives_status_1(
    cellar: SimulatedCellar, capsys: pytest.CaptureFixture[str], reported: dict[str, Any], difference: str
) -> None:
    cellar.overrides[MISMATCH] = reported
    assert simulate_against(cellar.url, count=MISMATCH + 1, json_output=True) == 1
    compared = json.loads(capsys.readouterr().out)["archives"]
    assert [one["differences"] for one in compared] == [[], [], [difference]]


def test_archive_that_does_not_finish_in_time_gives_status_1(
    cellar: SimulatedCellar, capsys: pytest.CaptureFixture[str]
) -> None:
    cellar.overrides[0] = {"state": "processing"}
    assert simulate_against(cellar.url, count=1, wait_s=0.2) == 1
    assert "processing" in capsys.readouterr().out


def test_without_waiting_only_answers_are_compared(cellar: SimulatedCellar) -> None:
    cellar.overrides = {number: {"state": "failed"} for number in range(COUNT)}
    assert simulate_against(cellar.url, wait=False) == 0


def test_archives_are_sent_to_a_source_with_its_secret(cellar: SimulatedCellar) -> None:
    assert simulate_against(cellar.url, source="branch", secret=SECRET, wait=False) == 0
    assert {request.path for request, _ in cellar.server.log} == {"/webhooks/cellosign/branch"}
    with pytest.raises(WrongUse, match="`cellar sources rotate branch`"):
        simulate_against(cellar.url, source="branch", secret="")


def test_unexpected_answer_is_a_difference(httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    httpserver.expect_request("/webhooks/cellosign").respond_with_data("Bad Gateway", 502)
    assert simulate_against(httpserver.url_for(""), count=1, wait=False) == 1
    assert "HTTP 502" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "setting"), [({"secret": "?"}, "CELLAR_WEBHOOK_SECRETS"), ({"api_token": "?"}, "CELLAR_API_TOKENS")]
)
def test_wrong_credential_gives_one_line_that_names_the_setting(
    cellar: SimulatedCellar, capsys: pytest.CaptureFixture[str], wrong: dict[str, str], setting: str
) -> None:
    assert simulate_against(cellar.url, count=1, **wrong) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert setting in captured.err


def test_unreachable_receiver_gives_one_line_that_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate_against("http://127.0.0.1:9") == 1  # the discard port: nothing listens there
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "`make up`" in captured.err


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://example.com", "http://", "http://[::1"])
def test_invalid_url_is_wrong_use(url: str) -> None:
    with pytest.raises(WrongUse, match=r"http://127\.0\.0\.1:8000"):
        simulate_against(url)


@pytest.mark.parametrize(
    ("pages", "is_asked"),
    [
        ([[]], False),
        ([[LOAN_HE.template_id, None], [LOAN_HE.template_id]], False),
        ([[LOAN_HE.template_id], ["another"]], True),
        ([], True),
    ],
)
def test_receiver_of_real_archives_needs_a_yes(
    cellar: SimulatedCellar, pages: list[list[str | None]], is_asked: bool
) -> None:
    """Nobody can be asked, since the standard input of the tests is no terminal."""
    cellar.list(pages)
    if is_asked:
        with pytest.raises(WrongUse, match="real archives; give --yes"):
            simulate_against(cellar.url, yes=False)
        assert cellar.received == []
    else:
        assert simulate_against(cellar.url, yes=False) == 0


def test_command_accepts_its_options_and_refuses_a_count_of_zero(cellar: SimulatedCellar) -> None:
    app = typer.Typer()
    app.command()(simulate)
    given = ["--url", cellar.url, "--secret", SECRET, "--api-token", TOKEN, "--seed", str(SEED)]
    assert CliRunner().invoke(app, [*given, "--count", "2", "--no-wait", "--json", "--yes"]).exit_code == 0
    assert CliRunner().invoke(app, [*given, "--count", "0"]).exit_code == 2


def test_events_of_each_process_come_first_and_last_archives_are_left_out(
    cellar: SimulatedCellar, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate_against(cellar.url, events=True, leave_out=2, json_output=True) == 0

    document = json.loads(capsys.readouterr().out)
    assert [one["reference"] for one in document["archives"]] == [one.reference for one in archives()[:-2]]
    assert document["left_out"] == [one.reference for one in archives()[-2:]]
    assert document["events"] == {"sent": len(cellar.events), "acknowledged": len(cellar.events)}
    of_first = [each for each in cellar.events if each["session"]["reference"] == archives()[0].reference]
    types = [each["event"]["type"] for each in of_first]
    assert (types[0], types[-1]) == ("WHEF_SESSION_CREATED", "WHEF_CLIENT_FORM_SUBMITTED")
    assert {"WHEF_CLIENT_FORM_LOADED", "WHEF_CLIENT_LOGGED_IN"} < set(types)
    times = [each["event"]["timestamp"] for each in of_first]
    assert times == sorted(times)


def test_event_that_is_not_acknowledged_is_no_success(cellar: SimulatedCellar) -> None:
    cellar.status_of_events = "-1"

    assert simulate_against(cellar.url, events=True) == 1
