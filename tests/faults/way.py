"""A way to a server that can be spoiled, in a process of its own: `python way.py PORT SERVER_PORT`.

It reads a fault, `break` or the port of another server from each line of its input, and answers each with the number of
pieces spoiled so far. It imports the standard library alone, since it starts before each installation.
"""

import asyncio
import socket
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from enum import StrEnum, auto

_SLOW_S = 1.0
_QUIET_S = 0.2
_RESET_AFTER_BYTES = 20_000
_SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"
_INTERNAL = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>Try again</Message></Error>"


class Fault(StrEnum):
    """What becomes of the traffic."""

    NONE = auto()
    CUT = auto()  # connections are closed at once
    HUNG = auto()  # connections are accepted, and nothing passes
    SLOW = auto()  # each piece waits for a second
    RESET_IN_MID_REQUEST = auto()  # the connection breaks once 20 kB of it have been sent
    REPLY_DROPPED = auto()  # the server gets the request and does it, and its reply is lost
    STATUS_500 = auto()
    STATUS_503 = auto()


_REPLIES = {
    Fault.STATUS_500: (b"500 Internal Server Error", _INTERNAL),
    Fault.STATUS_503: (b"503 Slow Down", _SLOW_DOWN),
}


class Way:
    """The way itself."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._spoiled = 0
        self._fault = Fault.NONE
        self._open: set[StreamWriter] = set()

    async def serve(self, port: int) -> None:
        lines = StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        async with await asyncio.start_server(self._connected, "127.0.0.1", port):
            while line := await lines.readline():
                self._obey(line.decode().strip())
                print(self._spoiled, flush=True)  # noqa: T201 -- the answer

    def _obey(self, word: str) -> None:
        if word.isdigit():
            self._server_port = int(word)
        elif word == "break":
            for each in list(self._open):
                _reset(each)
        elif word:
            self._fault = Fault(word)

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self._fault is Fault.CUT:
                self._spoiled += 1
                _reset(writer)
                return
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            await asyncio.gather(self._ask(reader, to_writer, writer), self._answer(to_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            _reset(writer)

    async def _ask(self, reader: StreamReader, server: StreamWriter, client: StreamWriter) -> None:
        """Pass what the client sends."""
        sent_bytes = 0
        while data := await reader.read(1 << 16):
            sent_bytes += len(data)
            await self._slowed()
            if self._fault is Fault.RESET_IN_MID_REQUEST and sent_bytes > _RESET_AFTER_BYTES:
                self._spoiled += 1
                server.write(data[: len(data) // 2])
                await server.drain()
                _reset(server)
                _reset(client)
                return
            if self._fault in _REPLIES:
                await self._reply(reader, client)
                _reset(server)
                return
            server.write(data)
            await server.drain()
        server.close()

    async def _answer(self, server: StreamReader, client: StreamWriter) -> None:
        """Pass what the server sends."""
        while data := await server.read(1 << 16):
            await self._slowed()
            if self._fault is Fault.REPLY_DROPPED:
                self._spoiled += 1
                break
            client.write(data)
            await client.drain()
        _reset(client)

    async def _slowed(self) -> None:
        if self._fault is Fault.SLOW:
            self._spoiled += 1
            await asyncio.sleep(_SLOW_S)
        if self._fault is Fault.HUNG:
            self._spoiled += 1
            while self._fault is Fault.HUNG:  # noqa: ASYNC110 -- a fault has several ends
                await asyncio.sleep(0.05)

    async def _reply(self, reader: StreamReader, client: StreamWriter) -> None:
        """Answer in the server's place, after the rest of the request: a client may not read before it has sent."""
        self._spoiled += 1
        with suppress(TimeoutError):
            while await asyncio.wait_for(reader.read(1 << 16), _QUIET_S):
                pass
        status, body = _REPLIES[self._fault if self._fault in _REPLIES else Fault.STATUS_503]
        head = b"HTTP/1.1 %s\r\ncontent-type: application/xml\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        client.write(head % (status, len(body)) + body)
        await client.drain()
        client.close()


def _reset(writer: StreamWriter) -> None:
    """Break a connection off at once, as a lost peer does."""
    with suppress(OSError, AttributeError):
        found: socket.socket = writer.get_extra_info("socket")
        if not writer.is_closing():
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(Way(int(sys.argv[2])).serve(int(sys.argv[1])))
