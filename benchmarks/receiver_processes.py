"""A part of `make bench-receiver`: a receiver of several processes beside a receiver of one, in turns in one run.

The sender shares the machine with the receiver. So the ratio has a bound of its own: the processor time that sender and
kernel take is not there for a second process. On a busy machine the ratio says little: the scheduler gives two
processes twice the share of one. The processor time of a request says at any load what sharing costs.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import machine, servers
from benchmarks.receiver import Case, measure
from benchmarks.servers import Server

MEASURED = Path(__file__).parent / "measured" / "receiver_processes.json"
_KB, _MB = 10**3, 10**6
_SHOWN = ("one_per_s", "several_per_s", "one_ms", "several_ms", "busiest_share", "load")
_CASES = (Case(20 * _KB, 1, 16), Case(20 * _KB, 1, 64), Case(2 * _MB, 1, 8))


@dataclass(frozen=True, slots=True)
class Turns:
    """One case in one round: requests a second and processor time of one process and of several."""

    name: str
    one_per_s: float
    several_per_s: float
    one_ms: float
    """Processor time of a request, registration included."""
    several_ms: float
    busiest_share: float
    """The part of the processes' time that the busiest of them had: a half of two is even."""
    load: float
    """Of the machine, over the last minute."""

    @property
    def ratio(self) -> float:
        return self.several_per_s / self.one_per_s


def turns(one: Server, several: Server, case: Case) -> Turns:
    """Measure a case in the turns one, several, several, one."""
    before = one.spent_s(), several.spent_s()
    per_s = [measure(server, case, 0).requests_per_s for server in (one, several, several, one)]
    [of_one], of_several = (
        [now - then for now, then in zip(server.spent_s(), spent_s, strict=True)]
        for server, spent_s in zip((one, several), before, strict=True)
    )
    return Turns(
        name=f"{case.size_bytes / _MB:g} MB x {case.lanes}",
        one_per_s=(per_s[0] + per_s[3]) / 2,
        several_per_s=(per_s[1] + per_s[2]) / 2,
        one_ms=1000 * of_one / (2 * case.requests),
        several_ms=1000 * sum(of_several) / (2 * case.requests),
        busiest_share=max(of_several) / sum(of_several),
        load=os.getloadavg()[0],
    )


def rounds(count: int, processes: int, cases: Sequence[Case]) -> Iterator[Turns]:
    with machine.work_folder() as folder:
        for number in range(count):
            works = [folder / f"{number}-{each}" for each in (1, processes)]
            for work in works:
                work.mkdir()
            with servers.cellar(works[0]) as one, servers.cellar(works[1], processes=processes) as several:
                for server in (one, several):
                    measure(server, Case(20 * _KB, 1, 8), 0)
                for case in cases:
                    yield turns(one, several, case)


def table(measured: Sequence[Turns], processes: int) -> list[str]:
    """Return the rows of a table: medians over the rounds of each case."""
    rows = [
        f"| case | requests/s of 1 process | of {processes} | ratio | single rounds | processor ms a request, of 1 | "
        f"of {processes} | share of the busiest | load |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(each.name for each in measured):
        found = [each for each in measured if each.name == name]
        ratios = sorted(each.ratio for each in found)
        middle = {each: median(getattr(turn, each) for turn in found) for each in _SHOWN}
        one, several, one_ms, several_ms, share, load = middle.values()
        speeds = f"{one:.0f} | {several:.0f} | {median(ratios):.2f} | {ratios[0]:.2f} to {ratios[-1]:.2f}"
        rows.append(f"| {name} | {speeds} | {one_ms:.1f} | {several_ms:.1f} | {share:.2f} | {load:.0f} |")
    return rows


def main(arguments: argparse.Namespace) -> None:
    measured = list(rounds(arguments.rounds, arguments.processes, _CASES))
    document = {"machine": machine.described(), "processes": arguments.processes, "turns": [*map(asdict, measured)]}
    MEASURED.write_text(json.dumps(document, indent=1) + "\n")
    print("\n".join(table(measured, arguments.processes)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    main(parser.parse_args())
