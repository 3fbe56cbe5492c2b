"""Downstream systems of the fortnight: one is well, one is down for a weekend, one is slow, one is hostile."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SLOW_S = 0.1


@dataclass
class Downstream:
    """What each endpoint has confirmed, by its path: the type of each message by its id, and how often it came."""

    confirmed: dict[str, dict[str, str]] = field(default_factory=dict)
    times: dict[str, Counter[str]] = field(default_factory=dict)
    letters: list[str] = field(default_factory=list)
    is_down: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, path: str, message_id: str, body: dict[str, Any]) -> None:
        with self._lock:
            if path == "/people":
                self.letters.append(body["title"])
            else:
                self.confirmed.setdefault(path, {})[message_id] = body["type"]
                self.times.setdefault(path, Counter())[message_id] += 1


@contextmanager
def served(downstream: Downstream) -> Iterator[str]:
    """Yield the URL of a running server: `/well`, `/down` (503 while `is_down`), `/slow`, `/hostile`, and `/people`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/hostile":
                self.close_connection = True
                self.wfile.write(b"HTTP/1.1 302 Found\r\nlocation: /well\r\ncontent-length: 9999999\r\n\r\nshort")
                return
            if self.path == "/slow":
                time.sleep(_SLOW_S)
            is_refused = self.path == "/down" and downstream.is_down
            if not is_refused:
                downstream.take(self.path, self.headers.get("webhook-id", ""), json.loads(body))
            self.send_response(503 if is_refused else 204)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # so that closing it waits for its connections

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
