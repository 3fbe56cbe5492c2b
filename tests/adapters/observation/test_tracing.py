"""Tracing is off, and costs no import, unless OpenTelemetry's variables switch it on."""

import os
import subprocess
import sys

import pytest

from tests.conftest import LONGEST_S

_SPAN = """
import sys
import api.app, services.messages.attempts
from adapters.observation.tracing import span
with span("a span", receipt_id="1") as made:
    made.note(size_bytes=1)
print("opentelemetry.sdk" in sys.modules, made.traceparent is not None)
"""


def _spanned(**variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | variables
    command = [sys.executable, "-c", _SPAN]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=LONGEST_S
    ).stdout


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:9"},
    ],
)
def test_sdk_is_not_imported_without_an_endpoint_for_traces(variables: dict[str, str]) -> None:
    assert _spanned(**variables).split() == ["False", "False"]


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_endpoint_switches_tracing_on(name: str) -> None:
    assert _spanned(**{name: "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}).split() == ["True", "True"]
