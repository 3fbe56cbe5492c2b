"""Answers of peers that never end, or come byte by byte, are broken off while they are read."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from adapters.peers import prefect_api, prefect_facts, receiver, revocation_servers, time_stamps
from adapters.peers.addresses import bounded, bounded_async
from models.archive.verdict import Wanted
from models.errors import Transient
from tests.conftest import LONGEST_S, Configure, wait_until

_LARGE_BYTES = 96 << 20


class Sending:
    """A server that answers each request with much, until its client leaves."""

    def __init__(self, head: bytes, part: bytes, pause_s: float) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + head + b"\r\n"
        self._part, self._pause_s = part, pause_s
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.sent_bytes = 0
        self.answered = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    connection.settimeout(LONGEST_S)
                    connection.recv(1 << 16)
                    connection.sendall(self._answer)
                    for _ in range(_LARGE_BYTES // len(self._part)):
                        connection.sendall(self._part)
                        self.sent_bytes += len(self._part)
                        time.sleep(self._pause_s)
                self.answered += 1

    def close(self) -> None:
        self._socket.close()


@contextmanager
def sending(head: bytes = b"", part: bytes = b" " * (1 << 20), pause_s: float = 0) -> Iterator[Sending]:
    server = Sending(head, part, pause_s)
    try:
        yield server
    finally:
        server.close()


def _stamp(server: Sending) -> None:
    time_stamps.stamped(server.url, b"text", [])


def _run(server: Sending) -> None:
    asyncio.run(prefect_api.read_run("00000000-0000-0000-0000-000000000000"))


def _ready(server: Sending) -> None:
    if receiver.listens_at("127.0.0.1", server.port) is None:
        raise Transient("no receiver")


def _metrics(server: Sending) -> None:
    receiver.unauthorised_by_source()


def _revocation(server: Sending) -> None:
    wanted = Wanted(url=f"{server.url}/crl", request="")
    if not asyncio.run(revocation_servers.fetched([wanted], may_call=lambda _: True)):
        raise Transient("no revocation data")


@pytest.mark.parametrize("ask", [_stamp, _run, lambda _: prefect_facts.server(), _ready, _metrics, _revocation])
def test_large_answer_is_broken_off(configure: Configure, ask: Callable[[Sending], None]) -> None:
    with sending() as server:
        configure(PREFECT_API_URL=f"{server.url}/api", port=server.port)

        with pytest.raises(Transient):
            ask(server)

        wait_until(lambda: server.answered > 0)
        assert server.sent_bytes < _LARGE_BYTES // 2


def test_answer_that_comes_byte_by_byte_is_broken_off() -> None:
    with sending(part=b" ", pause_s=0.05) as server, httpx.Client(**bounded(1000, 0.3)) as client:
        with pytest.raises(httpx.ReadTimeout, match="takes too long"):
            client.get(server.url, timeout=LONGEST_S)
        with pytest.raises(httpx.ReadTimeout, match="takes too long"):
            asyncio.run(_got(server.url))


async def _got(url: str) -> None:
    async with httpx.AsyncClient(**bounded_async(1000, 0.3)) as client:
        await client.get(url, timeout=LONGEST_S)


def test_packed_answer_is_broken_off(tmp_path: Path) -> None:
    with sending(b"content-encoding: gzip\r\n") as server:
        with pytest.raises(httpx.RemoteProtocolError), httpx.Client(**bounded(1000, 9)) as client:
            client.get(server.url)
        assert server.sent_bytes < _LARGE_BYTES // 2
