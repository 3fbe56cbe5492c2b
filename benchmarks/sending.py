"""Sends bodies at little cost, in a process of its own: a plain socket for each lane sends body after body.

python -m benchmarks.sending '{"port": …}'  →  one line of JSON: seconds of each request and of all requests
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import socket

import uvloop

from benchmarks.bodies import Template, body_parts, template

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_SMALL_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Load:
    """The bodies to send, and their target. `folder` is emptied after each request of a single lane."""

    port: int
    secret: str
    folder: str
    size_bytes: int
    strings: int
    lanes: int
    requests: int
    is_escaped: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """Wall time of all requests, and of each request from its first byte to the last byte of the answer."""

    body_bytes: int
    all_s: float
    each_s: list[float]


def send(load: Load) -> Sent:
    """Send bodies from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sending", json.dumps(asdict(load))]
    return Sent(**json.loads(subprocess.run(command, check=True, capture_output=True, timeout=600).stdout))


def main(load: Load) -> Sent:
    return uvloop.run(_send_all(load))


async def _send_all(load: Load) -> Sent:
    made = template(load.size_bytes, load.strings, is_escaped=load.is_escaped)
    left = iter(range(load.requests))
    begun = time.perf_counter()
    lanes = await asyncio.gather(*(_lane(load, made, left) for _ in range(load.lanes)))
    all_s = time.perf_counter() - begun
    each_s = [seconds for lane in lanes for seconds in lane]
    return Sent(len(made), sum(each_s) if load.lanes == 1 else all_s, each_s)


async def _lane(load: Load, made: Template, left: Iterator[int]) -> list[float]:
    loop = asyncio.get_running_loop()
    with socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", load.port))
        each_s = []
        for _ in left:
            head, body = _request(load, made)
            begun = time.perf_counter()
            if len(body) <= _SMALL_BYTES:
                await loop.sock_sendall(connection, head + body)
            else:
                await loop.sock_sendall(connection, head)
                await loop.sock_sendall(connection, body)
            await _read_answer(connection)
            each_s.append(time.perf_counter() - begun)
            if load.lanes == 1:
                _empty(Path(load.folder))
        return each_s


def _request(load: Load, made: Template) -> tuple[bytes, bytes]:
    first, rest = body_parts(made)
    lines = (
        *("POST /webhooks/cellosign HTTP/1.1", "host: benchmark", "content-type: application/json"),
        *(f"authorization: Bearer {load.secret}", f"content-length: {len(first) + len(rest)}", "", ""),
    )
    return "\r\n".join(lines).encode() + first, rest


async def _read_answer(connection: socket) -> None:
    loop, answer = asyncio.get_running_loop(), b""
    while b"\r\n\r\n" not in answer:
        received = await loop.sock_recv(connection, 1 << 16)
        if not received:
            raise ConnectionError("the server closed the connection")
        answer += received
    head, _, content = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    while length and len(content) < int(length[1]):
        content += await loop.sock_recv(connection, 1 << 16)
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"the server refused: {head.splitlines()[0].decode()} {content[:200].decode()}")


def _empty(folder: Path) -> None:
    """Remove the files, so that the next body takes the same memory of the disk cache, and not new memory."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    print(json.dumps(asdict(main(Load(**json.loads(sys.argv[1]))))))
