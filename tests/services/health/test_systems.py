"""The checks of the last verify, of anchors and of sources, as `cellar status` shows them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from adapters.settings.settings import Settings
from adapters.tables.runs import receipts
from models.sources import StatedTerms
from models.store.fixity import NOTHING, Fault, Fixity, FixityFinding
from models.views.health import Check, Grade
from services import sources
from services.anchors.making import make
from services.custody.remembering import Memory
from tests.api.conftest import started
from tests.conftest import Configure, make_tables, wait_until
from tests.installations import archived, check, installed
from tests.records import delivery
from tests.samples import sample_body

NOW = datetime.now(UTC)
DAMAGED = Fixity(0, 0, 0, (FixityFinding("keys/strange", Fault.EXTRA, "nothing", "a file"),))


def last_verify() -> Check:
    return check("last verify")


def last_run(server: HTTPServer, state: str, hours: int) -> None:
    """Let Prefect say that the last run of each flow began some hours after now, and ended so."""
    times = {"start_time": f"{NOW + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}", "end_time": "2030-01-01T00:00:00Z"}
    times["expected_start_time"] = "2030-01-01T00:00:00Z"  # of the next run
    server.clear()
    server.expect_request("/api/flow_runs/filter").respond_with_json([{"id": "run", "state_type": state, **times}])


def test_findings_stand_and_a_check_that_broke_off_is_said(
    sqlite_installation: Settings, configure: Configure, httpserver: HTTPServer
) -> None:
    assert last_verify().verdict is Grade.OFF  # Prefect is away, and that is said elsewhere

    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    Memory().end_of_store(DAMAGED)
    last_run(httpserver, "FAILED", -1)
    assert (last_verify().verdict, "FILE_EXTRA 1" in last_verify().found) == (Grade.WRONG, True)

    Memory().end_of_store(NOTHING)
    assert last_verify().verdict is Grade.OK  # the failed check has left its findings, which are gone

    last_run(httpserver, "CRASHED", 1)
    assert (last_verify().verdict, "broke off" in last_verify().found) == (Grade.WRONG, True)
    last_run(httpserver, "COMPLETED", 1)
    assert last_verify().verdict is Grade.OK


def test_key_that_is_gone_after_the_first_anchor_is_a_warning(sqlite_installation: Settings) -> None:
    assert check("anchor key").verdict is Grade.OFF  # the first anchor generates it
    archived("process-1", sample_body("process-1"))
    make(NOW)
    assert check("anchor key").verdict is Grade.OK

    sqlite_installation.secret_path("anchor").unlink()

    assert check("anchor key").verdict is Grade.WARNING


@pytest.mark.usefixtures("sqlite_installation")
def test_status_and_docs_say_in_the_same_words_what_is_not_found_without_a_witness() -> None:
    found = check("witness")

    page = (Path(__file__).parents[3] / "docs/evidence.md").read_text().replace("> ", "")
    assert (found.verdict, found.code, found.found in " ".join(page.split())) == (Grade.OFF, "no_witness", True)


@pytest.mark.usefixtures("sqlite_installation")
def test_housekeeping_that_fails_is_a_warning_though_none_is_overdue(
    configure: Configure, httpserver: HTTPServer
) -> None:
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    last_run(httpserver, "FAILED", -1)

    found = check("housekeeping")

    assert (found.verdict, "find-missing" in found.found, "Open" in found.to_do) == (Grade.WARNING, True, True)
    last_run(httpserver, "COMPLETED", -1)
    assert check("housekeeping").verdict is Grade.OK


@pytest.mark.usefixtures("installation")
def test_source_without_any_delivery_is_a_remark_until_something_comes() -> None:
    def said() -> tuple[str, str]:
        return check("sources").verdict, check("sources").found

    assert check("sources").verdict is Grade.OFF
    sources.add("retail", StatedTerms(), "a test", NOW)
    assert said() == (Grade.WARNING, "nothing has come from retail")
    receipts.register_all([replace(delivery("r"), source="retail")])
    assert said() == (Grade.OK, "sources with a URL of their own: 1, disabled: 0")
    sources.disable("retail", "a test", NOW)
    assert said() == (Grade.OK, "sources with a URL of their own: 1, disabled: 1")


def test_disabled_source_whose_sender_goes_on_is_a_remark(tmp_path: Path) -> None:
    with installed(tmp_path):
        make_tables()
        secret = sources.add("retail", StatedTerms(), "a test", NOW).secret
        sources.disable("retail", "a test", NOW)
        with started() as receiver:
            path, presented = "/webhooks/cellosign/retail", {"authorization": secret}
            wait_until(lambda: receiver.client.get("/readyz").json()["sources"] == "ok")
            assert receiver.client.post(path, content=b"{}", headers=presented).status_code == 401

            found = check("sources")

    assert (found.verdict, found.found) == (Grade.WARNING, "disabled, and refused so many times: retail 1")
