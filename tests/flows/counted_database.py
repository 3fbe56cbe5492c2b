"""Counts the requests to a Postgres server, as a proxy before it."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from tests.flows.counted_bucket import serving

_PORT = 5432
_PIECE_BYTES = 1 << 20


@dataclass(slots=True)
class CountedDatabase:
    """A database behind a proxy. A request is what a client sends before it waits for an answer."""

    url: str
    requests: int = 0


@contextmanager
def counted(url: str) -> Iterator[CountedDatabase]:
    """Run a proxy before the database at a URL of Postgres, on a free loopback port."""
    parts, made = urlsplit(url), CountedDatabase("")
    folder = parse_qs(parts.query).get("host", [""])[0]

    async def _connected(reader: StreamReader, writer: StreamWriter) -> None:
        if folder:
            ways = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{parts.port or _PORT}")
        else:
            ways = await asyncio.open_connection(parts.hostname, parts.port or _PORT)
        waits = asyncio.Event()
        try:
            await asyncio.gather(_asked(reader, ways[1], waits), _passed(ways[0], writer, waits))
        finally:
            for each in (ways[1], writer):
                each.close()

    async def _asked(reader: StreamReader, server: StreamWriter, waits: asyncio.Event) -> None:
        while data := await reader.read(_PIECE_BYTES):
            if not waits.is_set():  # else it follows the piece before without waiting for an answer
                waits.set()
                made.requests += 1
            server.write(data)
        server.close()

    async def _passed(server: StreamReader, writer: StreamWriter, waits: asyncio.Event) -> None:
        while data := await server.read(_PIECE_BYTES):
            waits.clear()
            writer.write(data)
        writer.close()  # asyncpg waits for the server to close a connection

    with serving(_connected) as port:
        user = f"{parts.username}@" if parts.username else ""
        made.url = f"postgresql://{user}127.0.0.1:{port}{parts.path}"
        yield made
