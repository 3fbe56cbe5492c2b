"""Requests of strangers, each of another shape: deep, wide, huge or slow, with wrong secrets, at every door."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx

from tests.samples import sample_body

_LANES = 64
_LONGEST_S = 10.0
_PATIENCE_S = 0.2
_MB = 1_000_000
_JSON, _FORM = "content-type: application/json", "content-type: application/x-www-form-urlencoded"
_WRONG = "authorization: Bearer wrong"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A request. It is sent in `pieces` with a pause before each. `length` is announced, or the body is chunked."""

    first: str
    lines: tuple[str, ...] = ()
    body: bytes = b""
    length: int | None = None
    pieces: int = 1
    pause_s: float = 0.0
    raw: bytes = field(default=b"", repr=False)

    def parts(self) -> Iterator[bytes]:
        head = [f"{self.first} HTTP/1.1", "host: cellar", *self.lines]
        body = self.body
        if self.length is None and body:
            head.append("transfer-encoding: chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        elif self.length is not None:
            head.append(f"content-length: {self.length}")
        whole = self.raw or "\r\n".join((*head, "", "")).encode() + body
        size_bytes = -(-len(whole) // self.pieces)
        for start in range(0, len(whole), size_bytes):
            yield whole[start : start + size_bytes]


def _sized(first: str, body: bytes, *lines: str) -> Hostile:
    return Hostile(first, lines, body, len(body))


def shapes(port: int) -> list[Hostile]:
    """Return a request of each shape. Those with a form have the cookie of the login's page, as anybody gets it."""
    page = httpx.get(f"http://127.0.0.1:{port}/console/login", trust_env=False)
    cookie = f"cookie: {page.headers['set-cookie'].partition(';')[0]}"
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    form = {"csrf": found[1], "name": "Dana", "token": "wrong"}
    login, wrong_login = "POST /console/login", urlencode(form).encode()
    wide_form = urlencode(form | {f"field{each}": each for each in range(1000)}).encode()
    multipart = b"--b\r\ncontent-disposition: form-data; name=x; filename=x\r\n\r\n" + b"x" * _MB + b"\r\n--b--\r\n"
    of_multipart = "content-type: multipart/form-data; boundary=b"
    archive = sample_body()
    deep, wide, spaces = b"[" * _MB, b"[" + b"[]," * _MB + b"[]]", b" " * (5 * _MB)
    objects = b'{"a":' * (_MB // 5)
    webhook, other = "POST /webhooks/cellosign", "POST /webhooks/cellosign/nosuch"
    bulk = "POST /api/bulk-reruns"
    return [
        *(_sized(webhook, body, _WRONG, _JSON) for body in (archive, wide, spaces)),
        *(_sized(other, body, "x-cellar-secret: wrong", _JSON) for body in (archive, deep)),
        *(_sized(bulk, body, _JSON) for body in (deep, objects, wide, spaces)),
        *(_sized(bulk, body, _JSON, _WRONG) for body in (b"{}", wide)),
        Hostile(bulk, (_JSON,), spaces, 300 * _MB),
        Hostile("POST /api/nowhere", (_JSON, _WRONG), spaces),
        Hostile("PATCH /api/archives/x", (_JSON,), deep),
        *(Hostile(f"GET {path}", (_WRONG,)) for path in ("/api/archives", "/metrics", "/api/nowhere", "/api/changes")),
        *(_sized(f"{method} /metrics", spaces) for method in ("GET", "DELETE")),
        _sized(login, wrong_login, _FORM, cookie),
        _sized(login, wide_form, _FORM, cookie),
        _sized(login, wide, _FORM, cookie),
        *(_sized(login, multipart, of_multipart, each) for each in (cookie, "cookie: x=y")),
        Hostile(login, (_FORM, cookie), spaces),
        _sized("POST /console/bulk/x/confirm", wide_form, _FORM, cookie),
        *(_sized(f"{method} {path}", spaces) for method in ("POST", "PUT") for path in ("/", "/d/x", "/nowhere")),
        *(_sized(f"GET {path}", spaces) for path in ("/healthz", "/readyz", "/docs", "/console/login")),
        *(Hostile(f"GET {path}") for path in ("/d/forged", "/docs", "/openapi.json", "/console/login", "/console/")),
        Hostile("GET /d/" + "x" * 60_000),
        Hostile("GET /console/login?" + "a&" * 30_000),
        Hostile("GET /console/archives/" + "a/files/" * 7_000),
        Hostile("GET /console/login", ("cookie: " + "a;" * 30_000,)),
        Hostile("GET /healthz", tuple(f"x{each}: {'x' * 500}" for each in range(120))),
        Hostile("", raw=b"\0" * 70_000),
        Hostile("", raw=b"GET / HTTP/1.1\r\nhost: cellar\r\nx: slow", pieces=20, pause_s=0.05),
        *(Hostile(each, (_JSON,), deep[:100], 100_000, 20, 0.05) for each in (bulk, webhook, "POST /nowhere")),
        Hostile(login, (_FORM, cookie), wrong_login, 1000, 20, 0.05),
    ]


async def send(port: int) -> Counter[str]:
    """Send a request of each shape, all at once, and return how many answers had which status."""
    left, statuses = iter(shapes(port)), Counter[str]()

    async def _lane() -> None:
        for each in left:
            try:
                statuses[await asyncio.wait_for(_asked(port, each), _LONGEST_S)] += 1
            except TimeoutError:
                statuses["left before an answer"] += 1
            except OSError:
                statuses["reset"] += 1

    await asyncio.gather(*(_lane() for _ in range(_LANES)))
    return statuses


async def _asked(port: int, hostile: Hostile) -> str:
    """Send a request to its end, or until the receiver stops reading. An answer may come before. Return its status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_write(writer, hostile))
    try:
        if hostile.pause_s:
            await sending
        async with asyncio.timeout(_PATIENCE_S if hostile.pause_s else None):
            answer = await reader.read(1 << 16)
        with suppress(OSError):
            await sending
        return answer[9:12].decode() or "closed"
    finally:
        sending.cancel()
        writer.transport.abort()


async def _write(writer: asyncio.StreamWriter, hostile: Hostile) -> None:
    for part in hostile.parts():
        await asyncio.sleep(hostile.pause_s)
        for start in range(0, len(part), 1 << 18):
            writer.write(part[start : start + (1 << 18)])
            await writer.drain()
