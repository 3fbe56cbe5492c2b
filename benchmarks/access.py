"""Measures what a page pays for its row of the access log: `python -m benchmarks.access`.

A receiver on the embedded defaults answers the facets of the list of archives, in turns with a row and without: a part
that an open page asks for by itself is recorded once an hour.
"""

import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import httpx

from benchmarks import servers
from benchmarks.paired import signed_in

_TURNS = 500


def _asked_ms(client: httpx.Client, **headers: str) -> float:
    began_s = time.perf_counter()
    client.get("/console/facets", headers=headers).raise_for_status()
    return (time.perf_counter() - began_s) * 1000


def main() -> None:
    with (
        TemporaryDirectory(dir=Path.cwd(), prefix="cellar-benchmark-") as folder,
        servers.cellar(Path(folder)) as server,
        signed_in(server) as client,
    ):
        turns = [(_asked_ms(client), _asked_ms(client, **{"hx-trigger": "facets"})) for _ in range(_TURNS)]
    for name, each in zip(("with a row", "without"), zip(*turns, strict=True), strict=True):
        print(f"{name}: median {median(each):.2f} ms, p95 {quantiles(each, n=20)[-1]:.2f} ms")


if __name__ == "__main__":
    main()
