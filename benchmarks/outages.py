"""`make bench-outages`: the acknowledgement while Prefect, the database or an endpoint is away, against all up.

One installation with inbox and store in folders, and a way to each of the three that can be cut or hung. Rounds are
interleaved: each state once in each round, and everything is completed before the next state begins. A ratio is that of
the 99th percentiles within a round; the median over the rounds counts.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psycopg

from adapters.inbox import inbox
from benchmarks import machine
from benchmarks.engine import set_up_process
from benchmarks.message_peers import peers
from benchmarks.sending import Load, send
from tests.faults.faulty_way import FaultyWay
from tests.faults.installation import SECRET, Installation, embedded
from tests.faults.postgres import leader
from tests.faults.way import Fault

MEASURED = Path(__file__).parent / "measured" / "outages.json"
_SIZE_BYTES, _LANES = 200_000, 4
_COMPLETED_WITHIN_S = 900
_FAULTS = (Fault.CUT, Fault.HUNG)
_NOTIFY_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True, slots=True)
class State:
    """Which system is away, and how; None: all are up."""

    system: str | None
    fault: Fault

    @property
    def name(self) -> str:
        return f"{self.system} {self.fault}" if self.system else "all up"


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """Run an installation on Postgres with ways to `prefect`, `database` and `endpoint`."""
    with leader() as postgres, peers(1) as (port,):
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE cellar")
        with FaultyWay(postgres.port).running() as database, FaultyWay(port).running() as endpoint:
            values = {
                "database_url": f"postgresql://postgres@127.0.0.1:{database.port}/cellar",
                "notify_urls": f"http://127.0.0.1:{endpoint.port}/hook",
                "notify_secret": _NOTIFY_SECRET,
                "notify_allow_private": "true",
            }
            with embedded(folder, **values) as made:
                made.ways |= {"database": database, "endpoint": endpoint}
                yield made


def measure(made: Installation, state: State, requests: int) -> float:
    """Return the 99th percentile of acknowledgements in a state, in milliseconds."""
    if state.system:
        made.ways[state.system].spoil(state.fault)
        time.sleep(1)
    each_s = send(Load(made.port, SECRET, "", _SIZE_BYTES, 1, _LANES, requests)).each_s
    if state.system:
        made.ways[state.system].heal()
    _wait_until_all_complete(made)
    return 1000 * quantiles(each_s, n=100)[98]


def _wait_until_all_complete(made: Installation) -> None:
    deadline = time.monotonic() + _COMPLETED_WITHIN_S
    with made.looked_into():
        while next(inbox.deliveries(), None):
            if time.monotonic() > deadline:
                raise TimeoutError(f"archives are not completed after {_COMPLETED_WITHIN_S} s")
            time.sleep(0.5)


def main(arguments: argparse.Namespace) -> None:
    set_up_process()
    states = [State(None, Fault.NONE)]
    states += [State(system, fault) for system in ("prefect", "database", "endpoint") for fault in _FAULTS]
    p99_ms: dict[str, list[float]] = {each.name: [] for each in states}
    load_before = os.getloadavg()[0]
    with machine.work_folder() as folder, installed(folder) as made:
        measure(made, states[0], arguments.requests)  # what happens once is over
        for _ in range(arguments.rounds):
            for each in states:
                p99_ms[each.name].append(measure(made, each, arguments.requests))
    ratios = {
        name: median(each / up for each, up in zip(found, p99_ms["all up"], strict=True))
        for name, found in p99_ms.items()
    }
    for name, ratio in ratios.items():
        print(f"{name:<16} p99 {median(p99_ms[name]):8.1f} ms   {ratio:5.2f} times that of all up")
    described = machine.described() | {"load_before": load_before}
    MEASURED.write_text(json.dumps({"machine": described, "p99_ms": p99_ms, "ratios": ratios}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=100, help="archives in each state and round")
    main(parser.parse_args())
