"""Runs a real Prometheus with the rules of `deploy/monitoring`, which scrapes and decides each second."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import LONGEST_S, answers, free_port, running, wait_until

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="PROMETHEUS IS NOT INSTALLED, ALERTS ARE NOT TESTED: apt-get install prometheus promtool",
)
DEPLOYED = Path(__file__).parents[2] / "deploy" / "monitoring"
_QUICK = [(r"for: \d+m", "for: 1s"), (r"\[\d+m\]", "[15s]"), (r"\d+s$", "1s"), (r"interval: 15s", "interval: 1s")]


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self._read("/api/v1/alerts")["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def value(self, expression: str) -> float | None:
        found = self._read("/api/v1/query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def _read(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self._url}{path}", params=parameters, timeout=LONGEST_S, trust_env=False)
        return answer.raise_for_status().json()["data"]


@contextmanager
def prometheus_of(receiver_url: str, token: str, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus for a receiver, with the deployed files. Only periods, address and token differ."""
    (folder / "token").write_text(token)
    for name in ("prometheus.yml", "alerts.yml"):
        text = (DEPLOYED / name).read_text()
        for pattern, quick in _QUICK:
            text = re.sub(pattern, quick, text, flags=re.MULTILINE)
        text = text.replace("127.0.0.1:8000]", f"{receiver_url.removeprefix('http://')}]")
        (folder / name).write_text(text.replace("/etc/prometheus/cellar-token", str(folder / "token")))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with running(command, dict(os.environ), folder / "prometheus.log", folder=folder):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/-/ready"))
        yield Prometheus(url)
