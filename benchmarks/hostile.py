"""`make bench-hostile`: 10,000 requests of nobody, 64 at a time, beside an honest sender, in rounds after calm ones.

Each request is of another shape: JSON, forms and multipart that are deep, wide, huge or slow, wrong secrets, tokens and
logins, at every door. The generator is a process of its own, and so is the receiver. Memory is compared with that of
the receiver after honest requests at all doors: it has loaded what it loads once.

Then one request comes again and again from one address, on 32 connections for six seconds: a flood of each kind.

python -m benchmarks.hostile --send PORT COUNT  →  one line of JSON: how many answers had which status
python -m benchmarks.hostile --flood PORT NAME  →  the same, of a flood
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, islice, repeat, takewhile
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import httpx

from benchmarks import machine, servers
from benchmarks.bodies import body_parts, template
from benchmarks.servers import SECRET, Server

MEASURED = Path(__file__).parent / "measured" / "hostile.json"
_LANES = 64
_FLOOD_LANES, _FLOOD_S = 32, 6.0
_HONEST_BYTES, _HONEST_BODIES, _HONEST_PAUSE_S = 20_000, 20, 0.05
_LONGEST_S = 10.0
_PATIENCE_S, _WARM_S = 0.2, 5.0
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
    archive = b"".join(body_parts(template(_HONEST_BYTES, 1)))
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


def floods(port: int) -> dict[str, Hostile]:
    """Return the request of each flood, by its name."""
    page = httpx.get(f"http://127.0.0.1:{port}/console/login", trust_env=False)
    cookie = f"cookie: {page.headers['set-cookie'].partition(';')[0]}"
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    form = {"csrf": found[1], "name": "Dana"}
    token, login = "POST /oauth/token", "POST /console/login"
    members = b"{" + b",".join(b'"%d":"x"' % each for each in range(1600)) + b"}"
    return {
        "malformed JSON at /oauth/token": _sized(token, b'{"a":' * 3_000, _JSON),
        "1,600 members at /oauth/token": _sized(token, members, _JSON),
        "wrong secrets at /oauth/token": _sized(token, b"client_id=default&client_secret=wrong", _FORM),
        "8,000 fields at /console/login": _sized(login, b"&" * 8_000, _FORM, cookie),
        "1,900 fields at /console/login": _sized(login, b"a=&" * 1_900, _FORM, cookie),
        "wrong passwords at /console/login": _sized(
            login, urlencode(form | {"password": "wrong"}).encode(), _FORM, cookie
        ),
        "wrong tokens at /console/login": _sized(login, urlencode(form | {"token": "wrong"}).encode(), _FORM, cookie),
        **{
            f"GET {path}": Hostile(f"GET {path}")
            for path in (
                "/docs",
                "/openapi.json",
                "/console/login",
                "/console/archives",
                "/d/forged",
                "/readyz",
                "/nowhere",
            )
        },
        "GET /api/archives": Hostile("GET /api/archives", (_WRONG,)),
        "wrong secrets at the webhook": _sized("POST /webhooks/cellosign", b"{}", _WRONG, _JSON),
        "bytes that are no request": Hostile("", raw=b"\0" * 100),
    }


async def send(port: int, count: int) -> Counter[str]:
    """Send hostile requests, and return how many answers had which status."""
    made = shapes(port)
    random.Random(24).shuffle(made)
    return await _sent(port, islice(cycle(made), count), _LANES)


async def flood(port: int, name: str) -> Counter[str]:
    """Send one request again and again, and return how many answers had which status."""
    made, end = floods(port)[name], time.monotonic() + _FLOOD_S
    return await _sent(port, takewhile(lambda _: time.monotonic() < end, repeat(made)), _FLOOD_LANES)


async def _sent(port: int, left: Iterator[Hostile], lanes: int) -> Counter[str]:
    statuses = Counter[str]()

    async def _lane() -> None:
        for each in left:
            try:
                statuses[await asyncio.wait_for(_asked(port, each), _LONGEST_S)] += 1
            except TimeoutError:
                statuses["left before an answer"] += 1
            except OSError:
                statuses["reset"] += 1

    await asyncio.gather(*(_lane() for _ in range(lanes)))
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


@dataclass(frozen=True, slots=True)
class Round:
    """The seconds of each honest delivery, calm and beside hostile requests, and the peaks of memory meanwhile."""

    calm_s: list[float]
    beside_s: list[float]
    hostile_s: float
    calm_bytes: int
    beside_bytes: int
    statuses: dict[str, int]


def measure(server: Server, calm_s: float, *generated: str) -> Round:
    """Measure a round with a generator, which is given by its options."""
    server.forget_peak()
    end = time.perf_counter() + calm_s
    calm = list(_honest(server.port, lambda: time.perf_counter() < end))
    calm_bytes = server.memory("VmHWM")
    server.forget_peak()
    command = [sys.executable, "-m", "benchmarks.hostile", generated[0], str(server.port), *generated[1:]]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as generator:
        beside = list(_honest(server.port, lambda: generator.poll() is None))
        assert generator.stdout
        statuses = json.loads(generator.stdout.read())
    return Round(calm, beside, time.perf_counter() - begun, calm_bytes, server.memory("VmHWM"), statuses)


def _honest(port: int, goes_on: Callable[[], bool]) -> Iterator[float]:
    """Send an archive at a time, up to 20 a second, and yield the seconds of each.

    While Prefect is away, the receiver keeps a few KB of each archive in memory. So they are few, and come again.
    """
    made = template(_HONEST_BYTES, 1)
    bodies = cycle([b"".join(body_parts(made)) for _ in range(_HONEST_BODIES)])
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while goes_on():
        begun = time.perf_counter()
        connection.request("POST", "/webhooks/cellosign", next(bodies), headers)
        answer = connection.getresponse()
        assert json.loads(answer.read())["status"] == "0", answer.status
        yield time.perf_counter() - begun
        time.sleep(_HONEST_PAUSE_S)
    connection.close()


def _warm(server: Server) -> None:
    """Have the receiver load what it loads once, by honest requests."""
    end = time.perf_counter() + _WARM_S
    list(_honest(server.port, lambda: time.perf_counter() < end))
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=60) as client:
        for path in ("/console/login", "/console/archives", "/docs", "/openapi.json", "/readyz", "/d/unknown"):
            client.get(path)
    server.wait_until_idle()


def main(arguments: argparse.Namespace) -> None:
    with machine.work_folder() as folder, servers.cellar(folder) as server:
        _warm(server)
        warm_bytes = server.memory("VmRSS")
        count = str(arguments.count // max(arguments.rounds, 1))
        rounds = [measure(server, arguments.calm, "--send", count) for _ in range(arguments.rounds)]
        flooded = {
            each: measure(server, arguments.calm, "--flood", each) for each in arguments.floods or floods(server.port)
        }
    print("\n".join([*table(rounds, warm_bytes), *table_of_floods(flooded)]))
    measured = json.loads(MEASURED.read_text())
    conditions = {"machine": machine.described(), "load": os.getloadavg(), "warm_bytes": warm_bytes}
    if rounds:
        measured |= conditions | {"rounds": [_short(each) for each in rounds]}
    measured.setdefault("floods", {}).update({name: _short(each) | conditions for name, each in flooded.items()})
    MEASURED.write_text(json.dumps(measured, indent=1) + "\n")


def table(rounds: Sequence[Round], warm_bytes: int) -> list[str]:
    """Return the rows of a table."""
    if not rounds:
        return []
    times = [p99_ms(each.beside_s) / p99_ms(each.calm_s) for each in rounds]
    beside_bytes = sum(each.beside_bytes - each.calm_bytes for each in rounds)
    calm_bytes = rounds[-1].beside_bytes - warm_bytes - beside_bytes
    statuses = sum((Counter(each.statuses) for each in rounds), Counter[str]())
    return [
        "| what | goal | reached |",
        "| --- | --- | --- |",
        f"| growth of the receiver beside hostile requests, MB | 20 | {beside_bytes / 1e6:.0f} |",
        f"| growth of the receiver in calm rounds, MB |  | {(calm_bytes / 1e6):.0f} |",
        f"| p99 of an honest sender, times the calm p99 | 2 | {median(times):.2f} |",
        f"rounds: {', '.join(f'{each:.2f}' for each in times)};"
        f" calm p99 {', '.join(f'{p99_ms(each.calm_s):.1f}' for each in rounds)} ms;"
        f" requests/s {', '.join(f'{sum(each.statuses.values()) / each.hostile_s:.0f}' for each in rounds)};"
        f" {dict(statuses.most_common())}",
    ]


def table_of_floods(flooded: Mapping[str, Round]) -> list[str]:
    return [
        "| flood | p50 | p99 | calm p50 | calm p99 | times | answers a second |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {1000 * median(each.beside_s):.1f} | {p99_ms(each.beside_s):.1f}"
            f" | {1000 * median(each.calm_s):.1f} | {p99_ms(each.calm_s):.1f}"
            f" | {p99_ms(each.beside_s) / p99_ms(each.calm_s):.1f}"
            f" | {sum(each.statuses.values()) / each.hostile_s:.0f} {each.statuses} |"
            for name, each in flooded.items()
        ),
    ]


def p99_ms(each_s: Sequence[float]) -> float:
    return 1000 * sorted(each_s)[99 * len(each_s) // 100]


def _short(measured: Round) -> dict[str, Any]:
    figures = {"calm_p99_ms": p99_ms(measured.calm_s), "beside_p99_ms": p99_ms(measured.beside_s)}
    numbers = {"calm": len(measured.calm_s), "beside": len(measured.beside_s), "hostile_s": measured.hostile_s}
    memory = {"calm_bytes": measured.calm_bytes, "beside_bytes": measured.beside_bytes}
    return figures | numbers | memory | {"statuses": measured.statuses}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3, help="0: floods alone")
    parser.add_argument("--calm", type=float, default=10.0, help="seconds of a calm round")
    parser.add_argument("--send", type=int, nargs=2, metavar=("PORT", "COUNT"), help="be the generator")
    parser.add_argument("--flood", nargs=2, metavar=("PORT", "NAME"), help="be the generator of a flood")
    parser.add_argument("floods", nargs="*", help="names of floods to measure (default: all)")
    given = parser.parse_args()
    if given.flood:
        print(json.dumps(asyncio.run(flood(int(given.flood[0]), given.flood[1]))))
    elif given.send:
        print(json.dumps(asyncio.run(send(*given.send))))
    else:
        main(given)
