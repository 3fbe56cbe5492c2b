"""Simulated archives, and the outcome that is expected of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """The expected outcome of an archive. `status` is the answer: `"0"`, or `"-1"` for a refused body, without `state`.

    `files` is the number of files in the archive. `warnings` and `discrepancies` are exactly the codes that must occur,
    each once or more. `standings` are the payments' standings, in the payload's order; all attempts at a transaction
    are one payment.
    """

    status: str
    state: str | None
    files: int
    warnings: frozenset[str]
    discrepancies: frozenset[str]
    standings: tuple[str, ...]


@dataclass(frozen=True)
class SimulatedArchive:
    """A body to send. `scenario` is a stable short name (`lease-he`). Refused bodies have a `reference` too."""

    scenario: str
    reference: str
    body: bytes
    expectation: Expectation


REFUSED = Expectation(status="-1", state=None, files=0, warnings=frozenset(), discrepancies=frozenset(), standings=())


def completed(
    *,
    files: int,
    warnings: frozenset[str] = frozenset(),
    discrepancies: frozenset[str] = frozenset(),
    standings: tuple[str, ...] = (),
) -> Expectation:
    """Return the expectation of an archive that is completed, by default without warnings and discrepancies."""
    return Expectation("0", "completed", files, warnings, discrepancies, standings)
