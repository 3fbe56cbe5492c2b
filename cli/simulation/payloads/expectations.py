"""Simulated archives, and what a receiver must make of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """`status` is the answer to the request: `"0"`, or `"-1"` when it is refused, and then `state` is None.

    `files` is the number of files in the archive; `warnings` and `discrepancies` are the codes that must be exactly
    those present, each once or more; `standings` are those of the payments in the payload's order: several attempts at
    a transaction are one payment.
    """

    status: str
    state: str | None
    files: int
    warnings: frozenset[str]
    discrepancies: frozenset[str]
    standings: tuple[str, ...]


@dataclass(frozen=True)
class SimulatedArchive:
    """`scenario` is a short name that stays (`lease-he`). `reference` is that of the body, also when it is refused."""

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
    """Return the expectation of an archive that is accepted and completed; by default nothing is to be said of it."""
    return Expectation("0", "completed", files, warnings, discrepancies, standings)
