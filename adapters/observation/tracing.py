"""One OpenTelemetry trace from the receipt to the end of its run, where OpenTelemetry's own variables are set.

A delivery's record in the inbox carries the context of its trace as the header `traceparent`, from the receiver to the
run. Attributes are ids and numbers of cellar, never a reference or a value from a payload, and an error is its class
alone. The provider is ours and not the process's: Prefect would put the names of runs, which are references, into it.

Where the variables are not set, nothing is imported here, and a span costs a call.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = structlog.get_logger()
TRACEPARENT = "traceparent"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Span:
    """A span that is being timed. `traceparent` names it to its children in other processes, None without tracing."""

    def __init__(self, span: Any = None, traceparent: str | None = None) -> None:
        self._span = span
        self.traceparent = traceparent

    def note(self, **attributes: str | int) -> None:
        if self._span:
            self._span.set_attributes(_named(attributes))


_NO_SPAN = Span()


@contextmanager
def span(name: str, parent: str | None = None, **attributes: str | int) -> Iterator[Span]:
    """Time the block as a span, below `parent` or else below the span of the caller."""
    tracer = _tracer()
    if tracer is None:
        yield _NO_SPAN
        return
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 -- not without tracing
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    propagator, carrier = TraceContextTextMapPropagator(), dict[str, str]()
    context = propagator.extract({TRACEPARENT: parent}) if parent else None
    # The text of an exception may have values of a payload, so the SDK must not record it.
    silent = {"record_exception": False, "set_status_on_exception": False}
    with tracer.start_as_current_span(name, context, attributes=_named(attributes), **silent) as begun:  # type: ignore[arg-type]
        propagator.inject(carrier)
        try:
            yield Span(begun, carrier.get(TRACEPARENT))
        except BaseException as error:
            begun.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def is_traced() -> bool:
    """Return whether spans of this process are exported."""
    return _tracer() is not None


def _named(attributes: dict[str, str | int]) -> dict[str, str | int]:
    return {f"cellar.{name}": value for name, value in attributes.items()}


@cache
def _tracer() -> "Tracer | None":
    if not _is_wanted():
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning("no traces: OTEL_… is set, and the extra is missing; run `pip install 'cellosign-cellar[otel]'`")
        return None
    resource = Resource({"service.name": "cellar"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("cellar")


def _is_wanted() -> bool:
    """Read OpenTelemetry's variables as its SDK does. `none` and OTEL_SDK_DISABLED switch an endpoint off again."""
    environment = {name: value.strip().lower() for name, value in os.environ.items() if name.startswith("OTEL_")}
    exporters = environment.get("OTEL_TRACES_EXPORTER", "")
    if environment.get("OTEL_SDK_DISABLED") == "true" or exporters == "none":
        return False
    return exporters.startswith("otlp") or any(environment.get(name) for name in _ENDPOINTS)
