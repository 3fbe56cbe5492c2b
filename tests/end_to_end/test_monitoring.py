"""Alerts and dashboard of `deploy/monitoring` fit what cellar shows. Alerts fire for faults, until their repair."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import TOKEN, receiving
from tests.conftest import wait_until
from tests.end_to_end.conftest import Running
from tests.end_to_end.monitoring import DEPLOYED, needs_prometheus, prometheus_of
from tests.samples import sample_body
from tests.scrapes import scraped

_SHOWN_AFTER_AN_EVENT = {
    "cellar_store_findings",
    "cellar_store_checked_timestamp_seconds",
    "cellar_invalid_requests_total",
}


@needs_prometheus
@pytest.mark.parametrize(
    "check", ["check rules alerts.yml", "check config --syntax-only prometheus.yml", "test rules alerts.test.yml"]
)
def test_promtool_accepts_the_deployed_files(check: str) -> None:
    command = ["promtool", *check.split()]
    done = subprocess.run(command, cwd=DEPLOYED, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_unit_test_and_a_runbook_with_a_command() -> None:
    alerts = (DEPLOYED / "alerts.yml").read_text().split("- alert: ")[1:]
    tested = set(re.findall(r"name: (\w+) fires", (DEPLOYED / "alerts.test.yml").read_text()))

    assert tested == {alert.split()[0] for alert in alerts}
    for alert in alerts:
        assert re.search(r"runbook: >-.*`[^`]+`", alert, re.DOTALL), alert.split()[0]


def test_rules_and_dashboard_name_only_metrics_that_cellar_shows(up: Running) -> None:
    up.send(b"{}")
    wait_until(lambda: "cellar_task_seconds_bucket" in scraped(up.url, up.token).names, timeout_s=60)
    shown = scraped(up.url, up.token).names | _SHOWN_AFTER_AN_EVENT

    dashboard = json.loads((DEPLOYED / "dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked.append((DEPLOYED / "alerts.yml").read_text())

    named = {name for text in asked for name in re.findall(r"\bcellar_\w+", text)}
    assert len(named) > 15
    assert named <= shown


@needs_prometheus
def test_alerts_fire_for_a_fault_and_stop_after_its_repair(tmp_path: Path) -> None:
    with (
        receiving(tmp_path, api_tokens=TOKEN) as receiver,
        prometheus_of(receiver.url, TOKEN, tmp_path) as prometheus,
    ):
        wait_until(lambda: prometheus.value("cellar_ready") == 1, timeout_s=30)
        receiver.post(sample_body("before"))
        assert not {"CellarNotReady", "CellarDeliveriesRefused"} & prometheus.firing()

        receiver.post(b"{}")
        waiting, aside = receiver.inbox / "waiting", receiver.inbox / "aside"
        waiting.rename(aside)
        waiting.write_bytes(b"a file where the folder was")
        wait_until(lambda: {"CellarNotReady", "CellarDeliveriesRefused"} <= prometheus.firing(), timeout_s=60)

        waiting.unlink()
        aside.rename(waiting)
        wait_until(lambda: not {"CellarNotReady", "CellarDeliveriesRefused"} & prometheus.firing(), timeout_s=60)
        assert prometheus.value("cellar_waiting_receipts") == 1
