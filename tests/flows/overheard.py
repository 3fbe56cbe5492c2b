"""The requests that reach a Prefect server, heard on their way to it."""

import asyncio
import json
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from prefect.settings import PREFECT_API_URL, temporary_settings

_REQUEST = re.compile(rb"([A-Z]+) (/api/\S+) HTTP/1\.1\r\n")
_UPDATE = re.compile(rb"PATCH /api/flow_runs/[0-9a-f-]+ HTTP/1\.1\r\n.*?\r\n\r\n(\{.*?\})(?=[A-Z]|\Z)", re.DOTALL)


@dataclass
class Overheard:
    connections: list[bytearray] = field(default_factory=list)

    def requests(self) -> list[str]:
        """Method and path of each."""
        found = [match for each in self.connections for match in _REQUEST.findall(bytes(each))]
        return [f"{method.decode()} {path.decode()}" for method, path in found]

    def labels(self) -> list[dict[str, Any]]:
        """What updates of flow runs said that set a name or tags."""
        updates = [json.loads(body) for each in self.connections for body in _UPDATE.findall(bytes(each))]
        return [update for update in updates if {"name", "tags"} & update.keys()]


@asynccontextmanager
async def overheard(prefect_url: str) -> AsyncIterator[Overheard]:
    """Flows that run in the block reach the server by way of this process."""
    heard, server = Overheard(), urlsplit(prefect_url)
    ways: set[asyncio.Task[None]] = set()

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        said = bytearray()
        heard.connections.append(said)
        server_reader, server_writer = await asyncio.open_connection(server.hostname, server.port)
        for way in (_pass(reader, server_writer, said), _pass(server_reader, writer, bytearray())):
            ways.add(asyncio.create_task(way))

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
        yield heard
    listener.close()
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)


async def _pass(reader: StreamReader, writer: StreamWriter, said: bytearray) -> None:
    try:
        while data := await reader.read(1 << 16):
            said += data
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
