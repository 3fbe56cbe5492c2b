"""An OpenTelemetry collector: takes spans by OTLP over HTTP, and keeps them decoded."""

from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


@dataclass(frozen=True)
class CollectedSpan:
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    attributes: dict[str, str]
    service: str
    is_error: bool


class Collector:
    """What arrived so far."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.spans: list[CollectedSpan] = []
        self.received = b""
        server.expect_request("/v1/traces", method="POST").respond_with_handler(self._take)

    def trace_of(self, receipt_id: str) -> list[CollectedSpan]:
        """Return the spans of the trace that received a receipt."""
        spans = list(self.spans)
        named = {each.trace_id for each in spans if each.attributes.get("cellar.receipt_id") == receipt_id}
        return [each for each in spans if each.trace_id in named]

    def _take(self, request: Request) -> Response:
        self.received += request.data
        for resource in ExportTraceServiceRequest.FromString(request.data).resource_spans:
            service = {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                for each in scope.spans:
                    noted = {one.key: one.value.string_value or str(one.value.int_value) for one in each.attributes}
                    ids = each.trace_id.hex(), each.span_id.hex(), each.parent_span_id.hex()
                    self.spans.append(CollectedSpan(*ids, each.name, noted, service, each.status.code == 2))
        return Response()
