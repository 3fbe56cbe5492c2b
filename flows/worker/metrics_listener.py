"""Serves the worker's metrics on loopback, in a thread of its own: a scrape never waits for runs."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import structlog

from adapters.observation.metrics import CONTENT_TYPE, WORKER, exposition
from adapters.settings.settings import settings
from models.errors import Conflict

log = structlog.get_logger()
_HOST = "127.0.0.1"


@contextmanager
def metrics_listening(port: int | None) -> Iterator[None]:
    """Answer `GET /metrics` on a port until the end of the block. Without a port, do nothing.

    Raises:
        Conflict: another program has the port.
    """
    if port is None:
        yield
        return
    try:
        server = ThreadingHTTPServer((_HOST, port), _Face)
    except OSError as error:
        reason = f"port {port} for the worker's metrics: {error.strerror}; set CELLAR_WORKER_METRICS_PORT to a free one"
        raise Conflict(reason) from error
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    log.info("the worker serves its metrics", url=f"http://{_HOST}:{port}/metrics")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Face(BaseHTTPRequestHandler):
    timeout = 10  # of a silent client
    server_version = "cellar"
    sys_version = ""

    def do_GET(self) -> None:
        if not _is_authorised(self.headers.get("authorization", "")):
            self._answer(HTTPStatus.UNAUTHORIZED, b"expected Authorization: Bearer and one of CELLAR_API_TOKENS\n")
        elif self.path.partition("?")[0] != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"expected /metrics\n")
        else:
            self._answer(HTTPStatus.OK, exposition(WORKER))

    def _answer(self, status: HTTPStatus, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", CONTENT_TYPE)
        self.send_header("content-length", str(len(content)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("www-authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log no request: a scrape every 15 s is no news."""


def _is_authorised(presented: str) -> bool:
    scheme, _, token = presented.partition(" ")
    pairs = [(token.strip().encode(), each.encode()) for each in settings().active_api_tokens()]
    return scheme.lower() == "bearer" and sum(hmac.compare_digest(*pair) for pair in pairs) > 0
