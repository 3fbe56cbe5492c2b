"""Counts the requests to an S3 server by method and kind of key, as a proxy before it."""

import asyncio
import re
import threading
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

_KINDS = {
    r".*\.body": "body",
    r".*Z-[0-9a-f]{8}\.json": "delivery",
    r".*/keys/.*": "key",
    r".*/sources/.*": "source",
    r".*/results/.*": "result",
    r".*/logs/history/.*": "history",
    r".*/logs/.*": "log",
    r".*/content/.*/files/[^/]*": "file",
    r".*/v[0-9]+/content/.*": "part of a request",
    r".*/v[0-9]+/inventory\.json": "inventory of a version",
    r".*/v[0-9]+/inventory\.json\.sha256": "sidecar of a version",
    r".*/inventory\.json": "inventory",
    r".*/inventory\.json\.sha256": "sidecar",
    r".*/0%3Docfl_.*": "declaration",
}
"""Names the kinds of keys. The first pattern that matches the whole path decides."""
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the bucket: the method, LIST for a listing; and what it asks for."""

    method: str
    path: str

    @property
    def kind(self) -> str:
        if self.method == "LIST":
            return "listing"
        found = (kind for pattern, kind in _KINDS.items() if re.fullmatch(pattern, self.path))
        return next(found, "other")


@dataclass(slots=True)
class CountedBucket:
    """An S3 server behind a proxy that keeps the requests, oldest first."""

    endpoint: str
    requests: list[Request] = field(default_factory=list)

    def by_kind(self) -> dict[str, int]:
        """Return the number of requests by method and kind of key, such as `PUT file`."""
        found = Counter(f"{each.method} {each.kind}" for each in self.requests)
        return dict(sorted(found.items()))


@contextmanager
def counted(endpoint: str) -> Iterator[CountedBucket]:
    """Run a proxy before the S3 server at a URL, on a free loopback port."""
    address, made = urlsplit(endpoint), CountedBucket("")

    async def _connected(reader: StreamReader, writer: StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            with suppress(IncompleteReadError, ConnectionError):
                while True:
                    asked = await _pass_request(reader, server_writer, made.requests)
                    await _pass_answer(server_reader, writer, asked.method == "HEAD")
        finally:
            server_writer.close()
            writer.close()

    with serving(_connected) as port:
        made.endpoint = f"http://127.0.0.1:{port}"
        yield made


@contextmanager
def serving(connected: Callable[[StreamReader, StreamWriter], Awaitable[None]]) -> Iterator[int]:
    """Serve connections in a thread, and yield the loopback port."""
    ready, ports = threading.Event(), list[int]()
    stopping: list[Callable[[], object]] = []

    async def _serve() -> None:
        listener = await asyncio.start_server(connected, "127.0.0.1", 0)
        ports.append(listener.sockets[0].getsockname()[1])
        ended = asyncio.Event()
        stopping.append(partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set))
        ready.set()
        await ended.wait()
        listener.close()  # clients may keep their connections, which end with the loop

    thread = threading.Thread(target=lambda: asyncio.run(_serve()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield ports[0]
    finally:
        stopping[0]()
        thread.join()


async def _pass_request(reader: StreamReader, server: StreamWriter, requests: list[Request]) -> Request:
    """Pass a request to the server. A client that sends `Expect` and waits before the body would hang."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.partition(b"\r\n")[0].decode().split(" ")
    address = urlsplit(target)
    is_listing = method == "GET" and "list-type=" in address.query
    requests.append(asked := Request("LIST" if is_listing else method, address.path))
    server.write(head)
    await _pass_body(reader, server, head)
    return asked


async def _pass_answer(server: StreamReader, writer: StreamWriter, is_head: bool) -> None:
    head = await server.readuntil(b"\r\n\r\n")
    writer.write(head)
    if not is_head and head.split(b" ", 2)[1] not in (b"204", b"304"):
        await _pass_body(server, writer, head)
    await writer.drain()


async def _pass_body(reader: StreamReader, writer: StreamWriter, head: bytes) -> None:
    """Pass the body that follows a head: of the length in the head, or in chunks up to the empty one."""
    if b"transfer-encoding: chunked" in head.lower():
        while True:
            line = await reader.readuntil(b"\r\n")
            size_bytes = int(line.partition(b";")[0], 16)
            writer.write(line + await reader.readexactly(size_bytes + 2))
            if not size_bytes:
                return
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    left_bytes = int(length[1]) if length else 0
    while left_bytes:
        data = await reader.readexactly(min(left_bytes, _CHUNK_BYTES))
        writer.write(data)
        await writer.drain()
        left_bytes -= len(data)
