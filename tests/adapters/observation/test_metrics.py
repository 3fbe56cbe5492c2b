"""Processes count for one another, and traces reach a collector."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.observation.metrics import WORKER, exposition, make_shared_folder, run_ended
from models.errors import Transient
from tests.conftest import LONGEST_S
from tests.scrapes import Scrape


def _ended(state: str, cause: str) -> float:
    return Scrape(exposition(WORKER).decode()).value("cellar_runs_ended_total", {"state": state, "cause": cause}) or 0


def test_runs_are_counted_by_state_and_cause() -> None:
    before = _ended("Failed", ""), _ended("Failed", "STORE_AWAY"), _ended("other", "")

    run_ended("Failed")
    run_ended("Failed", "STORE_AWAY")
    run_ended("A name that a person gave in Prefect")

    assert (_ended("Failed", ""), _ended("Failed", "STORE_AWAY"), _ended("other", "")) == tuple(n + 1 for n in before)


_COUNTING = """
from adapters.observation import metrics
for end in ("completed", "failed", "interrupted"):
    for task in ("persist-files", "load-metadata", "reconcile-payments", "notify-downstream"):
        metrics.TASK_SECONDS.labels(task, end).observe(1)
for number in range(60):
    metrics.DELIVERIES.labels(422, f"A_CODE_OF_AN_UNUSUAL_LENGTH_{number}").inc()
metrics.WORKER_BEAT.set(7)
metrics.run_ended("Completed")
print(metrics.shared_exposition([]).decode())
"""


def _counted(folder: Path) -> Scrape:
    """Let a program count in its folder, and return what it shows of all programs."""
    command = [sys.executable, "-c", _COUNTING]
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=LONGEST_S)
    return Scrape(done.stdout)


def test_values_of_programs_are_added_up_and_outlive_a_restart(tmp_path: Path) -> None:
    worker, receiver = tmp_path / "worker", tmp_path / "receiver"
    for folder in (worker, receiver):
        make_shared_folder(folder)

    for folder in (worker, worker, receiver):
        found = _counted(folder)

    assert found.value("cellar_runs_ended_total", {"state": "Completed", "cause": ""}) == 3
    assert found.value("cellar_worker_beat_timestamp_seconds") == 7
    assert found.value("cellar_task_seconds_count", {"task": "persist-files", "end": "failed"}) == 3


def test_files_of_a_program_have_all_their_blocks_before_it_starts(tmp_path: Path) -> None:
    """A write to a missing block of a mapped file kills the program where the disk is full."""
    made = Path(make_shared_folder(tmp_path / "worker"))
    before = {file.name: (file.stat().st_size, file.stat().st_blocks) for file in made.iterdir()}

    _counted(made)

    assert {file.name: (file.stat().st_size, file.stat().st_blocks) for file in made.iterdir()} == before
    assert all(blocks * 512 >= size_bytes for size_bytes, blocks in before.values())


def test_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")

    with pytest.raises(Transient, match="cannot be made"):
        make_shared_folder(tmp_path / "a file" / "worker")


# Says, for a process with each of the variables, whether it has imported the SDK, and whether its spans have a parent.
_SPANS = """
import json, os, sys
import api.app, services.messages.attempts
from adapters.observation.tracing import span
for variables in json.loads(sys.argv[1]):
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    os.environ |= variables
    with span("a span", receipt_id="1") as made:
        made.note(size_bytes=1)
    print("opentelemetry.sdk" in sys.modules, made.traceparent is not None, flush=True)
    os._exit(0)
"""


def _spanned(*variables: dict[str, str]) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", _SPANS, json.dumps(variables)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=LONGEST_S)
    return done.stdout.splitlines()


def test_sdk_is_imported_only_with_an_endpoint_for_traces() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    for_traces = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    off = [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        endpoint | {"OTEL_TRACES_EXPORTER": "none"},
        endpoint | {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:9"},
    ]

    assert _spanned(*off, endpoint, for_traces) == ["False False"] * 5 + ["True True"] * 2
