"""Simulates archives on their way through an installation, with queues before every program and every core."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

from benchmarks.scale.costs import Costs

SLOTS_OF_A_WORKER = 16
_ROUNDS = 10
"""A run alternates between worker, Prefect and database. Its costs are spread over so many rounds."""
_BEFORE_THE_RUN = 0.25
"""The share of Prefect's cost that creates and starts the run."""
_AFTER_THE_RUN = 0.4
"""The share of Prefect's cost that stores events and task runs, for which no run waits."""

Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True, slots=True)
class Form:
    """How many of each part an installation has.

    A process of Python keeps one core busy at most. `core_share` is the part of a core that a process may have.
    """

    cores: int
    receivers: int = 1
    workers: int = 1
    prefect_servers: int = 1
    core_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Passed:
    """When an archive arrived, was acknowledged, was Completed, and had all its task runs recorded: seconds."""

    arrived_s: float
    acknowledged_s: float
    completed_s: float
    recorded_s: float


def simulate(form: Form, costs: Costs, arrivals_s: Iterable[float]) -> Sequence[Passed]:
    """Return how archives pass that arrive at the given seconds, in the order in which they are recorded."""
    world = _World(form, costs)
    for at_s in arrivals_s:
        world.clock.process(world.archive(at_s))
    world.clock.run()
    return world.passed


class _World:
    """The queues of a simulated installation, and what has passed them."""

    def __init__(self, form: Form, costs: Costs) -> None:
        self.clock = simpy.Environment()
        self.passed: list[Passed] = []
        self._form, self._costs = form, costs
        self._cores = simpy.Resource(self.clock, form.cores)
        self._slots = simpy.Resource(self.clock, SLOTS_OF_A_WORKER * form.workers)
        self._programs = {
            "receiver": simpy.Resource(self.clock, form.receivers),
            "worker": simpy.Resource(self.clock, form.workers),
            "prefect": simpy.Resource(self.clock, form.prefect_servers),
        }

    def archive(self, at_s: float) -> Steps:
        yield self.clock.timeout(at_s)
        yield from self._work("sender", self._costs.sender_s)
        yield from self._work("receiver", self._costs.receiver_s)
        acknowledged_s = self.clock.now
        yield from self._work("prefect", self._costs.prefect_s * _BEFORE_THE_RUN)
        with self._slots.request() as slot:
            yield slot
            yield from self._run()
        completed_s = self.clock.now
        yield from self._work("prefect", self._costs.prefect_s * _AFTER_THE_RUN)
        self.passed.append(Passed(at_s, acknowledged_s, completed_s, self.clock.now))

    def _run(self) -> Steps:
        during = 1 - _BEFORE_THE_RUN - _AFTER_THE_RUN
        for _ in range(_ROUNDS):
            yield from self._work("worker", self._costs.worker_s / _ROUNDS)
            yield from self._work("prefect", self._costs.prefect_s * during / _ROUNDS)
            yield from self._work("database", self._costs.database_s / _ROUNDS)

    def _work(self, program: str, processor_s: float) -> Steps:
        """Hold a process of the program, if their number is limited, and a core while it works."""
        if not processor_s:
            return
        taken_s = processor_s / (self._form.core_share if program in self._programs else 1)
        if program not in self._programs:
            yield from self._on_a_core(taken_s)
            return
        with self._programs[program].request() as process:
            yield process
            yield from self._on_a_core(taken_s)

    def _on_a_core(self, taken_s: float) -> Steps:
        with self._cores.request() as core:
            yield core
            yield self.clock.timeout(taken_s)
