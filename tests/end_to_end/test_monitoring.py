"""Alerts and dashboard of `deploy/monitoring` fit what cellar shows. Alerts fire for faults, until their repair."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from models.store.backup import LastBackup, LastDrill
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.conftest import LONGEST_S, wait_until
from tests.end_to_end.conftest import Running, cellar
from tests.end_to_end.monitoring import DEPLOYED, Prometheus, needs_prometheus, prometheus_of
from tests.samples import sample_body
from tests.scrapes import scraped

TESTS = sorted(DEPLOYED.glob("*.test.yml"))


@needs_prometheus
@pytest.mark.parametrize(
    "check",
    [
        "check rules alerts.yml",
        "check config --syntax-only prometheus.yml",
        f"test rules {' '.join(each.name for each in TESTS)}",
    ],
)
def test_promtool_accepts_the_deployed_files(check: str) -> None:
    command = ["promtool", *check.split()]
    done = subprocess.run(command, cwd=DEPLOYED, capture_output=True, text=True, timeout=LONGEST_S, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_unit_test_and_a_runbook_with_a_command() -> None:
    alerts = (DEPLOYED / "alerts.yml").read_text().split("- alert: ")[1:]
    tested = {name for tests in TESTS for name in re.findall(r"name: (\w+) fires", tests.read_text())}

    assert tested == {alert.split()[0] for alert in alerts}
    for alert in alerts:
        assert re.search(r"runbook: >-.*`[^`]+`", alert, re.DOTALL), alert.split()[0]


def test_rules_and_dashboard_name_only_metrics_that_cellar_shows(up: Running) -> None:
    cellar(up, "verify")
    now = datetime.now(UTC)
    for name, last in {"backup": LastBackup(at=now), "drill": LastDrill(at=now)}.items():
        (up.folder / "data" / "store" / f"last-{name}.json").write_text(last.model_dump_json())
    for _ in range(2):  # the second is compared with the first
        cellar(up, "anchor")
    with socket.create_connection(("127.0.0.1", int(up.url.rpartition(":")[2]))) as sender:
        sender.sendall(b"no HTTP\r\n\r\n")
        sender.recv(1)
    up.send(sample_body("shown"))
    wait_until(lambda: "cellar_task_seconds_bucket" in scraped(up.url, up.token).names)
    shown = scraped(up.url, up.token).names

    asked = [*_queries_of_the_dashboard(), (DEPLOYED / "alerts.yml").read_text()]

    named = {name for text in asked for name in re.findall(r"\bcellar_\w+", text)}
    assert len(named) > 15
    assert named | {"cellar_store_uncovered_archives"} <= shown


def _queries_of_the_dashboard() -> list[str]:
    dashboard = json.loads((DEPLOYED / "dashboard.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Receiver, Prometheus]]:
    """A receiver, and the Prometheus that scrapes it."""
    folder = tmp_path_factory.mktemp("watched")
    with receiving(folder, api_tokens=TOKEN) as receiver, prometheus_of(receiver.url, TOKEN, folder) as prometheus:
        wait_until(lambda: prometheus.value("cellar_ready") == 1)
        yield receiver, prometheus


@needs_prometheus
@pytest.mark.faults  # its repair is seen 15 s later
def test_alerts_fire_for_a_fault_and_stop_after_its_repair(watched: tuple[Receiver, Prometheus]) -> None:
    receiver, prometheus = watched
    receiver.post(sample_body("before"))
    assert not {"CellarNotReady", "CellarDeliveriesRefused"} & prometheus.firing()

    receiver.post(b"{}")
    waiting, aside = receiver.inbox / "waiting", receiver.inbox / "aside"
    waiting.rename(aside)
    waiting.write_bytes(b"a file where the folder was")
    wait_until(lambda: {"CellarNotReady", "CellarDeliveriesRefused"} <= prometheus.firing())

    waiting.unlink()
    aside.rename(waiting)
    wait_until(lambda: not {"CellarNotReady", "CellarDeliveriesRefused"} & prometheus.firing())
    wait_until(lambda: prometheus.value("cellar_waiting_receipts") == 1)


@needs_prometheus
def test_prometheus_understands_each_query_of_the_dashboard(watched: tuple[Receiver, Prometheus]) -> None:
    _, prometheus = watched
    for query in _queries_of_the_dashboard():
        prometheus.value(query.replace("$__rate_interval", "1m").replace("$__range", "1h"))
