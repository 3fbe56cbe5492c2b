"""Who sends archives: plain senders on a socket, and what they may expect of an answer."""

import hashlib
import json
import re
import select
import socket
from pathlib import Path
from typing import Any

import httpx

from tests.api.conftest import Receiver

MARKER = "Marker-314159"
"""Stands for a person's data: in every payload that is refused, and nowhere else."""


def receipt_id_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    """The documented shape of an error."""
    content = answer.json()
    assert (answer.status_code, content["status"], content["document"]) == (status, "-1", None)
    assert set(content) == {"status", "document", "errordesc"}
    assert content["errordesc"].startswith(code), content["errordesc"]


def head(secret: str, *lines: str) -> bytes:
    """The head of a request."""
    first = ("POST /webhooks/cellosign HTTP/1.1", "host: cellar", f"authorization: {secret}")
    return "\r\n".join((*first, *lines, "", "")).encode()


def answer_on(connection: socket.socket) -> tuple[int, Any]:
    """The status and the content of the next answer. Unbuffered: what lies behind it is for the next call."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += connection.recv(1)
        assert received, "the server closed the connection"
    status, _, fields = received.decode().partition("\r\n")
    length_bytes = int(re.findall(r"content-length: (\d+)", fields.lower())[0])
    content = b""
    while len(content) < length_bytes:
        content += connection.recv(length_bytes - len(content))
    return int(status.split()[1]), json.loads(content)


def peak_bytes(pid: int) -> int:
    """The most memory that a process has ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) << 10


class Sender:
    """A sender that speaks plainly over a socket, and looks at the answer only when it has sent what it wants."""

    def __init__(self, receiver: Receiver, *lines: str, secret: str | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", receiver.port), timeout=30)
        self._socket.sendall(head(receiver.secret if secret is None else secret, *lines))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> bytes:
        return self._socket.recv(1 << 16)

    def answer(self) -> tuple[int, Any]:
        """The status and the content, once the server has sent all of it."""
        return answer_on(self._socket)

    def drip(self) -> bool:
        """Send a byte ten times a second, 40 at most, and return whether an answer has come meanwhile."""
        for _ in range(40):
            self._socket.sendall(b" ")
            if select.select([self._socket], [], [], 0.1)[0]:
                return True
        return False

    def leave(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
