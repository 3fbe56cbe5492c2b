"""`make bench-receiver`: compares the receiver with references, on this machine, in one run.

Rounds are interleaved: each case goes to every server before the next case, and all cases before the next round.
Results are medians over the rounds, of each server's figures and of the ratios within a round.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

from rich.progress import Progress

from benchmarks import machine, servers
from benchmarks.sending import Load, send
from benchmarks.servers import SECRET, Server

MEASURED = Path(__file__).parent / "measured" / "receiver.json"
_KB, _MB, _GB = 10**3, 10**6, 10**9
_SIZES_BYTES = (20 * _KB, 200 * _KB, 2 * _MB, 20 * _MB, 200 * _MB, _GB)
_LANES = (1, 8, 64)
_STRINGS = (1, 200)
_MOST_IN_FLIGHT_BYTES = 2 * _GB
_MOST_IN_MEMORY_BYTES = _GB
_SENT_IN_ALL_BYTES = 120 * _MB
_MOST_REQUESTS = 640
_TOUCHED_BYTES = 6 * _GB
_REST_S = 0.3


@dataclass(frozen=True, slots=True)
class Case:
    """Bodies of one size and kind, sent by some lanes at once."""

    size_bytes: int
    strings: int
    lanes: int
    is_escaped: bool = False

    @property
    def requests(self) -> int:
        """The number of requests: about a second of work at any size, and at least one for each lane."""
        return max(self.lanes, min(40 * self.lanes, _MOST_REQUESTS, _SENT_IN_ALL_BYTES // self.size_bytes))


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one server in one case and round."""

    mb_per_s: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    growth_mb: float
    """Growth of peak resident memory over the memory of the idle server."""


def cases() -> list[Case]:
    """Return every size with every number of lanes, as far as the bodies in flight fit into the machine.

    Few lanes come first: a process keeps memory that it once had, so many lanes would show in all later cases.
    """
    matrix = [
        Case(size_bytes, strings, lanes)
        for lanes in _LANES
        for size_bytes in _SIZES_BYTES
        for strings in _STRINGS
        if size_bytes * lanes <= _MOST_IN_FLIGHT_BYTES and (strings == 1 or lanes < 64)
    ]
    return [Case(200 * _MB, 1, 1, is_escaped=True), Case(20 * _KB, 1, 16), *matrix]


def names(case: Case, available: list[str]) -> Iterator[str]:
    """Return the servers of a case. Servers that hold bodies in memory take part only up to a bound."""
    for name in available:
        if name not in ("parameter", "whole") or case.size_bytes * case.lanes <= _MOST_IN_MEMORY_BYTES:
            yield name


def measure(server: Server, case: Case, idle_bytes: int) -> Figures:
    server.forget_peak()
    folder = str(server.folder)
    load = Load(server.port, SECRET, folder, case.size_bytes, case.strings, case.lanes, case.requests, case.is_escaped)
    sent = send(load)
    growth_bytes = server.memory("VmHWM") - idle_bytes
    server.empty()
    server.wait_until_idle()
    os.sync()  # the disk discards removed files; the next server must not wait for that
    time.sleep(_REST_S)
    spread_ms = [1000 * seconds for seconds in sent.each_s]
    p99_ms = quantiles(spread_ms, n=100)[98] if len(spread_ms) > 1 else spread_ms[0]
    requests_per_s = len(sent.each_s) / sent.all_s
    mb_per_s = requests_per_s * sent.body_bytes / _MB
    return Figures(mb_per_s, requests_per_s, median(spread_ms), p99_ms, growth_bytes / _MB)


def run_round(work: Path, planned: list[Case], progress: Progress) -> dict[tuple[int, str], Figures]:
    """Measure each case on each server. The servers are started anew for the round."""
    with ExitStack() as stack:
        started = [servers.floor(work), servers.cellar(work)]
        started += [servers.reference(name, work) for name in ("streaming", "whole", "parameter")]
        if shutil.which("nginx"):
            started.append(servers.nginx(work))
        running = {server.name: server for server in map(stack.enter_context, started)}
        for server in running.values():
            send(Load(server.port, SECRET, str(server.folder), 20 * _KB, 1, 1, 20))
        idle_bytes = {name: server.memory("VmRSS") for name, server in running.items()}
        task = progress.add_task("cases", total=len(planned))
        figures = {}
        for number, case in enumerate(planned):
            for name in names(case, list(running)):
                figures[number, name] = measure(running[name], case, idle_bytes[name])
            progress.advance(task)
        return figures


def main(rounds: int, planned: list[Case]) -> None:
    with machine.work_folder() as folder, Progress() as progress:
        _touch_memory(folder)
        task = progress.add_task("rounds", total=rounds)
        measured = []
        for number in range(rounds):
            work = folder / str(number)
            work.mkdir()
            measured.append(run_round(work, planned, progress))
            progress.advance(task)
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(json.dumps(document(planned, measured), indent=1) + "\n")


def _touch_memory(folder: Path) -> None:
    """Touch memory: a virtual machine gets it from its host at the first touch, which would slow the first server."""
    path = folder / "touch"
    with path.open("wb") as file:
        for _ in range(_TOUCHED_BYTES // _MB):
            file.write(bytes(_MB))
    path.unlink()


def document(planned: list[Case], measured: list[dict[tuple[int, str], Figures]]) -> dict[str, object]:
    """Return the record of a run: the machine, and the figures of each round by case and server."""
    return {
        "machine": machine.described(),
        "rounds": len(measured),
        "cases": [asdict(case) | {"servers": _of_case(number, measured)} for number, case in enumerate(planned)],
    }


def _of_case(number: int, measured: list[dict[tuple[int, str], Figures]]) -> dict[str, list[dict[str, float]]]:
    """Return the rounds of each server that took part in a case."""
    taking_part = [name for each, name in measured[0] if each == number]
    return {name: [asdict(figures[number, name]) for figures in measured] for name in taking_part}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--largest-mb", type=int, default=1000, help="skip larger bodies")
    chosen = parser.parse_args()
    main(chosen.rounds, [case for case in cases() if case.size_bytes <= chosen.largest_mb * _MB])
