"""Records the requests that reach a Prefect server."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"([A-Z]+) (/api/\S+) HTTP/1\.1\r\n")
_UPDATE = re.compile(rb"PATCH /api/flow_runs/[0-9a-f-]+ HTTP/1\.1\r\n.*?\r\n\r\n(\{.*?\})(?=[A-Z]|\Z)", re.DOTALL)


@dataclass
class Overheard:
    url: str
    """URL of the API through the relay."""
    connections: list[bytearray] = field(default_factory=list)

    def forget(self) -> None:
        for each in self.connections:
            each.clear()

    def requests(self) -> list[str]:
        """Return method and path of each request."""
        found = [match for each in self.connections for match in _REQUEST.findall(bytes(each))]
        return [f"{method.decode()} {path.decode()}" for method, path in found]

    def labels(self) -> list[dict[str, Any]]:
        """Return the updates of flow runs that set a name or tags."""
        updates = [json.loads(body) for each in self.connections for body in _UPDATE.findall(bytes(each))]
        return [update for update in updates if {"name", "tags"} & update.keys()]


@contextmanager
def overheard(prefect_url: str) -> Iterator[Overheard]:
    """Relay requests to the server through threads of this process, because some requests block the loop of their flow.

    The relay must outlast the tests, because Prefect keeps one connection for the events of a process.
    """
    server = urlsplit(prefect_url)

    class Relay(BaseRequestHandler):
        def handle(self) -> None:
            said = bytearray()
            heard.connections.append(said)
            with socket.create_connection((server.hostname, server.port)) as onward:
                back = threading.Thread(target=_pass, args=(onward, self.request, bytearray()), daemon=True)
                back.start()
                _pass(self.request, onward, said)

    with ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        heard = Overheard(f"http://127.0.0.1:{relay.server_address[1]}/api")
        serving = threading.Thread(target=relay.serve_forever)
        serving.start()
        yield heard
        relay.shutdown()
        serving.join()


def _pass(source: socket.socket, target: socket.socket, said: bytearray) -> None:
    with suppress(OSError):  # one side has disconnected
        while data := source.recv(1 << 16):
            said += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
