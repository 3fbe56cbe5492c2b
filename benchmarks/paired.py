"""Compares this checkout with another one: `python -m benchmarks.paired CHECKOUT`.

Both checkouts need their `.venv`. They take turns within each round. A ratio above 1 means that this checkout is
faster; the median over the rounds counts.
"""

import argparse
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import httpx
from httpx import codes

from benchmarks import machine, servers
from benchmarks.engine import set_up_process
from benchmarks.receiver import Case, measure
from benchmarks.servers import Server, signed_in

_KB, _MB = 10**3, 10**6
_CASES = (Case(20 * _KB, 1, 16), Case(2 * _MB, 1, 4), Case(200 * _MB, 1, 1))
_PAGES = ("/console/", "/console/archives", "/console/refused")
_ASKED = 200
_FILL = "from tests.batches import fill, filled; fill([filled(number) for number in range(200)])"
_HERE = Path(__file__).parents[1]
_RUNS_PER_S = re.compile(r"'runs_per_s':\s*([0-9.]+)")


def receiver(other: Path, rounds: int) -> dict[str, float]:
    """Return the median ratios of MB/s, and of their processor time to ours, by case. The turns: ours, theirs, theirs,
    ours.
    """
    ratios: dict[str, list[float]] = {}
    for _ in range(rounds):
        with machine.work_folder() as folder, ExitStack() as stack:
            ours, theirs = (stack.enter_context(_running(each, folder)) for each in (_HERE, other))
            for case in _CASES:
                turns = [_measured(server, case) for server in (ours, theirs, theirs, ours)]
                speeds, spent_s = zip(*turns, strict=True)
                name = f"{case.size_bytes / _MB:g} MB x {case.lanes}"
                ratios.setdefault(name, []).append((speeds[0] + speeds[3]) / (speeds[1] + speeds[2]))
                ratio = (spent_s[1] + spent_s[2]) / (spent_s[0] + spent_s[3])
                ratios.setdefault(f"{name}, processor", []).append(ratio)
    return {name: median(each) for name, each in ratios.items()}


def _measured(server: Server, case: Case) -> tuple[float, float]:
    """Return MB/s and the processor time of a server, with what it does after the last answer."""
    before_s = sum(server.spent_s())
    return measure(server, case, 0).mb_per_s, sum(server.spent_s()) - before_s


@contextmanager
def _running(checkout: Path, folder: Path) -> Iterator[Server]:
    work = folder / ("ours" if checkout == _HERE else "theirs")
    work.mkdir()
    with servers.cellar(work, _python_of(checkout)) as server:
        yield server


def console(other: Path, rounds: int) -> dict[str, float]:
    """Return the median ratios of the time of a page, theirs to ours, with 200 archives. Turns as above."""
    ratios: dict[str, list[float]] = {}
    for _ in range(rounds):
        with machine.work_folder() as folder, ExitStack() as stack:
            running = [stack.enter_context(_running(each, folder)) for each in (_HERE, other)]
            for server, checkout in zip(running, (_HERE, other), strict=True):
                command = [_python_of(checkout), "-c", _FILL]
                subprocess.run(command, env=_environment_of(server), cwd=checkout, check=True)
            clients = [stack.enter_context(signed_in(server.url)) for server in running]
            for path in _PAGES:
                times_s = [[_asked_s(client, path) for client in clients] for _ in range(_ASKED)]
                ours, theirs = (median(each) for each in zip(*times_s[_ASKED // 10 :], strict=True))
                ratios.setdefault(path, []).append(theirs / ours)
    return {path: median(each) for path, each in ratios.items()}


def _environment_of(server: Server) -> dict[str, str]:
    entries = Path(f"/proc/{server.process.pid}/environ").read_text().split("\0")
    return dict(each.split("=", 1) for each in entries if each)


def _asked_s(client: httpx.Client, path: str) -> float:
    began_s = time.perf_counter()
    if client.get(path).status_code != codes.OK:
        raise SystemExit(f"{path} is not shown")
    return time.perf_counter() - began_s


def engine(other: Path, rounds: int, count: int) -> float:
    """Return the median ratio of runs a second in a burst of `count` archives, on embedded defaults. Turns as above."""
    ratios = []
    for _ in range(rounds):
        speeds = [_burst(checkout, count) for checkout in (_HERE, other, other, _HERE)]
        ratios.append((speeds[0] + speeds[3]) / (speeds[1] + speeds[2]))
    return median(ratios)


def _burst(checkout: Path, count: int) -> float:
    burst = ["--only", "cellar", "--kind", "sqlite", "--part", "burst", "--count", str(count), "--rounds", "1"]
    command = [_python_of(checkout), "-m", "benchmarks.engine", *burst]
    done = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True)
    return max(float(found) for found in _RUNS_PER_S.findall(done.stdout))


def _python_of(checkout: Path) -> str:
    return str(checkout / ".venv" / "bin" / "python")


def main(arguments: argparse.Namespace) -> None:
    set_up_process()
    other = arguments.checkout.absolute()
    found = {
        "receiver": receiver(other, arguments.rounds),
        "console": console(other, arguments.rounds),
        "engine, burst": engine(other, arguments.rounds, arguments.count),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout", type=Path, help="the other checkout, with its .venv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=60, help="archives in a burst")
    main(parser.parse_args())
