"""Measures what a page pays for its row of the access log: `python -m benchmarks.access`.

A receiver on the embedded defaults answers a page of the list of archives, in turns with a row and without: a page that
asks again by itself is recorded once an hour.
"""

import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import httpx

from benchmarks import servers

_TURNS = 500


def _asked(client: httpx.Client, **headers: str) -> float:
    began_s = time.perf_counter()
    client.get("/api/archives", headers=headers).raise_for_status()
    return (time.perf_counter() - began_s) * 1000


def main() -> None:
    with (
        TemporaryDirectory(dir=Path.cwd(), prefix="cellar-benchmark-") as folder,
        servers.cellar(Path(folder)) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client,
    ):
        client.get("/api/archives", headers={"authorization": "Bearer none"})  # the receiver makes its token
        token = (Path(folder) / "cellar" / "secrets" / "api").read_text().strip()
        client.headers["authorization"] = f"Bearer {token}"
        turns = [(_asked(client), _asked(client, **{"hx-request": "true"})) for _ in range(_TURNS)]
    for name, each in zip(("with a row", "without"), zip(*turns, strict=True), strict=True):
        print(f"{name}: median {median(each):.2f} ms, p95 {quantiles(each, n=20)[-1]:.2f} ms")


if __name__ == "__main__":
    main()
