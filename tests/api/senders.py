"""Sends archives over plain sockets, and checks the answers."""

import hashlib
import json
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.api.conftest import Receiver
from tests.conftest import LONGEST_S

MARKER = "Marker-314159"
"""Stands for a person's data: it is in every refused payload, and must be nowhere else."""


def receipt_id_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    """Check that an answer is an error of the documented shape."""
    content = answer.json()
    assert (answer.status_code, content["status"], content["document"]) == (status, "-1", None)
    assert set(content) == {"status", "document", "errordesc"}
    assert content["errordesc"].startswith(code), content["errordesc"]


def head(secret: str, *lines: str, method: str = "POST", path: str = "/webhooks/cellosign") -> bytes:
    """Return the head of a request."""
    first = (f"{method} {path} HTTP/1.1", "host: cellar", f"authorization: {secret}")
    return "\r\n".join((*first, *lines, "", "")).encode()


def answer_on(connection: socket.socket) -> tuple[int, Any]:
    """Read the status and content of the next answer. Reads no further: the next call reads the next answer."""
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
    """Return the peak memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) << 10


def login_cookie(receiver: Receiver) -> str:
    """Return the header of a browser that has seen the page of the login."""
    answer = receiver.client.get("/console/login", headers={"cookie": ""})
    return f"cookie: {answer.headers['set-cookie'].partition(';')[0]}"


def sent_until_it_dies(receiver: Receiver, bodies: Iterator[bytes]) -> list[bytes]:
    """Send bodies until the receiver is killed. Return those that it acknowledged."""
    acknowledged: list[bytes] = []
    with httpx.Client(base_url=receiver.url, trust_env=False, timeout=LONGEST_S) as client:
        for body in bodies:
            try:
                answer = client.post("/webhooks/cellosign", content=body, headers={"authorization": receiver.secret})
            except httpx.HTTPError:
                break
            assert answer.json()["status"] == "0"
            acknowledged.append(body)
    return acknowledged


class Sender:
    """A sender on a plain socket, which reads the answer only when a test asks for it."""

    def __init__(self, receiver: Receiver, *lines: str, secret: str | None = None, **asked: str) -> None:
        """Send the head of a request: to the webhook, unless `asked` names another `method` or `path`."""
        self._socket = socket.create_connection(("127.0.0.1", receiver.port), timeout=LONGEST_S)
        self._socket.sendall(head(receiver.secret if secret is None else secret, *lines, **asked))

    def has_answer(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> bytes:
        return self._socket.recv(1 << 16)

    def answer(self) -> tuple[int, Any]:
        """Wait for the whole answer, and return its status and content."""
        return answer_on(self._socket)

    def drip(self) -> bool:
        """Send ten bytes a second, at most 400 in all. Return whether an answer came before the end."""
        for _ in range(400):
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
