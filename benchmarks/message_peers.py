"""Downstream systems that confirm each message, as lean as Python allows: `python -m benchmarks.message_peers 50`.

Prints a line with their ports. Each has a port of its own, keeps its connections, and reads no message.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.platform.processes import command_of_child

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH = b"content-length:"


class _Peer(asyncio.Protocol):
    """Answers a request once its body has arrived. Requests of a connection come one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            self._received = b""
            self._transport.write(_ANSWER)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(each.removeprefix(_LENGTH)) for each in lines if each.startswith(_LENGTH))


@contextmanager
def peers(count: int) -> Iterator[list[int]]:
    """Run endpoints in a process of their own, and yield their ports."""
    command = command_of_child([sys.executable, "-m", "benchmarks.message_peers", str(count)])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            yield [int(port) for port in process.stdout.readline().split()]
        finally:
            process.terminate()


async def main(count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(_Peer, "127.0.0.1", 0) for _ in range(count)]
    print(*(each.sockets[0].getsockname()[1] for each in servers), flush=True)
    await asyncio.gather(*(each.serve_forever() for each in servers))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
