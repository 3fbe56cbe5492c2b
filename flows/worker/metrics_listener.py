"""Serves the worker's metrics and health, in a thread of its own: neither waits for runs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from threading import Thread

import structlog
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from adapters.observation.metrics import CONTENT_TYPE, WORKER, exposition
from adapters.settings.settings import settings
from adapters.store.tokens import RECORDS
from domain.access import is_allowed
from models.access import Action
from models.errors import CellarError, Conflict
from services.access import tokens

log = structlog.get_logger()
_COMPARED = parse("50/minute")  # wrong tokens of an address; receivers compare as many
_BEAT_WITHIN_S = 30  # the event loop beats every 5 s


@contextmanager
def metrics_listening(port: int | None) -> Iterator[None]:
    """Answer `GET /metrics` and `GET /healthz` at CELLAR_HOST until the end of the block. Without a port, do nothing.

    Raises Conflict if another program has the port.
    """
    if port is None:
        yield
        return
    try:
        server = _Server(settings().host, port)
    except OSError as error:
        reason = f"port {port} for the worker's metrics: {error.strerror}; set CELLAR_WORKER_METRICS_PORT to a free one"
        raise Conflict(reason) from error
    Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    log.info("the worker serves its metrics", host=settings().host, port=port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        super().__init__((host, port), _Face)
        self.wrong = FixedWindowRateLimiter(MemoryStorage())


class _Face(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # of a silent client
    server_version = "cellar"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._answer_health()
        elif not self.server.wrong.test(_COMPARED, self.client_address[0]):
            self._answer(HTTPStatus.TOO_MANY_REQUESTS, b"wrong tokens came too often; ask again in a minute\n")
        elif not _is_authorised(self.headers.get("authorization", "")):
            self.server.wrong.hit(_COMPARED, self.client_address[0])
            self._answer(HTTPStatus.UNAUTHORIZED, b"expected Authorization: Bearer and a token that may read metrics\n")
        elif path != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"expected /metrics or /healthz\n")
        else:
            self._answer(HTTPStatus.OK, exposition(WORKER))

    def _answer_health(self) -> None:
        """Answer 200 while the worker's event loop goes round, whether or not Prefect and the database answer."""
        beat = WORKER.get_sample_value("cellar_worker_beat_timestamp_seconds")
        if not beat:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"the worker takes no runs yet\n")
        elif (silent_s := time.time() - beat) > _BEAT_WITHIN_S:
            reason = f"the worker stands still since {silent_s:.0f} s; start it again\n"
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, reason.encode())
        else:
            self._answer(HTTPStatus.OK, b"ok\n")

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
    with suppress(CellarError):  # while the store is away, the tokens that are known stay
        RECORDS.held()
    caller = tokens.caller_of(token.strip()) if scheme.lower() == "bearer" else None
    return caller is not None and is_allowed(caller.role, Action.READ_METRICS)
