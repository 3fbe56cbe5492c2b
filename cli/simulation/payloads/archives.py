"""Makes simulated archives: bodies of requests, each with its expectation."""

from collections.abc import Iterator
from datetime import datetime
from itertools import cycle, islice
from random import Random

from cli.simulation.payloads.expectations import SimulatedArchive
from cli.simulation.payloads.identifiers import uuid4_text
from cli.simulation.payloads.processes import Case
from cli.simulation.payloads.scenarios import SCENARIOS


def simulated_archives(count: int, *, seed: int, now: datetime) -> Iterator[SimulatedArchive]:
    """Yield `count` archives, the scenarios in a fixed rotation: 20 archives have every scenario, and 4 are refused.

    The same `seed` and `now` give the same archives, whatever the count, except for their PDFs: each PDF has its own
    identifier and times, and the signing key is made once per process. `now` is written without its zone, as Cellosign
    writes times. Cannot be called inside a running event loop (see `signed_documents.signed_pdf`).
    """
    for number, (scenario, make) in enumerate(islice(cycle(SCENARIOS.items()), count)):
        case = _case(seed, number, now)
        body, expectation = make(case)
        yield SimulatedArchive(scenario, case.reference, body, expectation)


def _case(seed: int, number: int, now: datetime) -> Case:
    """Return the case of one archive. Its randomness depends only on seed and number, so references never collide."""
    rng = Random(f"cellar simulate {seed} {number}")  # noqa: S311 - must be repeatable, protects nothing
    return Case(
        reference=uuid4_text(rng),
        transaction_id=uuid4_text(rng),
        process_number=1000 + 20 * (seed % 1000) + number,
        now=now.replace(tzinfo=None),
        rng=rng,
    )
