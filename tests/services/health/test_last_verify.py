"""The last check of the store is wrong while findings stand, and when the scheduled check broke off."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer

from adapters.settings.settings import Settings
from models.errors import Transient
from models.store.fixity import NOTHING, Fault, Fixity, FixityFinding
from models.views.health import Check, Verdict
from services.custody.remembering import Memory
from services.health.systems import system_probes

NOW = datetime.now(UTC)
DAMAGED = Fixity(0, 0, 0, (FixityFinding("keys/strange", Fault.EXTRA, "nothing", "a file"),))


def last_verify() -> Check:
    [probe] = [each for each in system_probes() if each.name == "last verify"]
    return probe.try_out()


def scheduled_check(server: HTTPServer, state: str, hours: int) -> None:
    """Let Prefect say that the last scheduled check began some hours after now, and ended so."""
    times = {"start_time": f"{NOW + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}", "end_time": "2030-01-01T00:00:00Z"}
    server.clear()
    server.expect_request("/api/flow_runs/filter").respond_with_json([{"state_type": state, **times}])


def test_findings_stand_and_a_check_that_broke_off_is_said(
    sqlite_installation: Settings, configure: Callable[..., Settings], httpserver: HTTPServer
) -> None:
    assert last_verify().verdict is Verdict.OFF  # Prefect is away, and that is said elsewhere

    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    Memory().end_of_store(DAMAGED)
    scheduled_check(httpserver, "FAILED", -1)
    with pytest.raises(Transient, match="FILE_EXTRA 1"):
        last_verify()

    Memory().end_of_store(NOTHING)
    assert last_verify().verdict is Verdict.OK  # the failed check has left its findings, which are gone

    scheduled_check(httpserver, "CRASHED", 1)
    with pytest.raises(Transient, match="broke off"):
        last_verify()
    scheduled_check(httpserver, "COMPLETED", 1)
    assert last_verify().verdict is Verdict.OK
