"""Simulated archives: the bodies of requests with what must become of them."""

from collections.abc import Iterator
from datetime import datetime
from itertools import cycle, islice
from random import Random

from cli.simulation.payloads.expectations import SimulatedArchive
from cli.simulation.payloads.identifiers import uuid4_text
from cli.simulation.payloads.processes import Case
from cli.simulation.payloads.scenarios import SCENARIOS


def simulated_archives(count: int, *, seed: int, now: datetime) -> Iterator[SimulatedArchive]:
    """Yield `count` archives, the scenarios in a fixed rotation: with 20 or more each one occurs, 4 in 20 are refused.

    The same `seed` and `now` give the same archives, whatever the count, but for their PDFs: each carries an identifier
    and times of its own, and the key that signs is made once in a process. `now` is written without its zone, as
    Cellosign writes times. Cannot be called inside a running event loop (see `signed_documents.signed_pdf`).
    """
    for number, (scenario, make) in enumerate(islice(cycle(SCENARIOS.items()), count)):
        case = _case(seed, number, now)
        body, expectation = make(case)
        yield SimulatedArchive(scenario, case.reference, body, expectation)


def _case(seed: int, number: int, now: datetime) -> Case:
    """Return the case of one archive: its randomness depends on seed and number only, so references never collide."""
    rng = Random(f"cellar simulate {seed} {number}")  # noqa: S311 - has to be repeatable, protects nothing
    return Case(
        reference=uuid4_text(rng),
        transaction_id=uuid4_text(rng),
        process_number=1000 + 20 * (seed % 1000) + number,
        now=now.replace(tzinfo=None),
        rng=rng,
    )
