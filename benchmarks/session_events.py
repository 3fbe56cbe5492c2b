"""`make bench-events`: session events a second, beside archives to the same receiver and a bare floor, in one run.

The floor writes each body to a file of its own and syncs it, without parsing: what an acknowledgement costs that is
durable alone. Rounds are interleaved; ratios are medians of the ratios within a round.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import machine, servers
from benchmarks.sending import Load, Sent, send
from benchmarks.servers import SECRET, Server

MEASURED = Path(__file__).parent / "measured" / "session_events.json"
_LANES = (1, 16, 64)
_REQUESTS = 3000
_ARCHIVE_BYTES = 2000
_GOAL_PER_S = 1000


@dataclass(frozen=True, slots=True)
class Round:
    """Requests a second in one round, with a number of connections."""

    lanes: int
    events: float
    archives: float
    floor: float
    p99_ms: float
    """Of the events."""


def measure(cellar: Server, floor: Server, lanes: int) -> Round:
    events = _sent(cellar, lanes, is_event=True)
    archives = _sent(cellar, lanes, is_event=False)
    bare = _sent(floor, lanes, is_event=True)
    each_s = sorted(events.each_s)
    return Round(lanes, _per_s(events), _per_s(archives), _per_s(bare), 1000 * each_s[99 * len(each_s) // 100])


def _sent(server: Server, lanes: int, *, is_event: bool) -> Sent:
    requests = _REQUESTS if lanes > 1 else _REQUESTS // 4
    load = Load(server.port, SECRET, str(server.folder), _ARCHIVE_BYTES, 1, lanes, requests, is_event=is_event)
    sent = send(load)
    server.empty()
    server.wait_until_idle()
    time.sleep(0.3)
    return sent


def _per_s(sent: Sent) -> float:
    return len(sent.each_s) / sent.all_s


def main(rounds: int) -> None:
    measured = list[Round]()
    with machine.work_folder() as folder:
        for number in range(rounds):
            work = folder / str(number)
            work.mkdir()
            with servers.cellar(work) as cellar, servers.floor(work) as floor:
                for server in (cellar, floor):
                    _sent(server, 8, is_event=True)
                measured += [measure(cellar, floor, lanes) for lanes in _LANES]
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(json.dumps([asdict(each) for each in measured], indent=1) + "\n")
    print("\n".join(table(measured)))


def table(measured: Sequence[Round]) -> list[str]:
    """Return the rows of a table: medians over the rounds of each number of connections."""
    rows = [
        f"| connections | events/s | of {_GOAL_PER_S:,}/s | times the archives/s | times the floor/s | p99, ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for lanes in _LANES:
        found = [each for each in measured if each.lanes == lanes]
        per_s = median(each.events for each in found)
        times_archives = median(each.events / each.archives for each in found)
        times_floor = median(each.events / each.floor for each in found)
        p99_ms = median(each.p99_ms for each in found)
        ratios = f"{per_s / _GOAL_PER_S:.2f} | {times_archives:.2f} | {times_floor:.2f}"
        rows.append(f"| {lanes} | {per_s:,.0f} | {ratios} | {p99_ms:.0f} |")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args().rounds)
