"""Simulated archives, and the outcome that is expected of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """`status` is the answer to the request: `"0"`, or `"-1"` for a refused body, which has no `state`.

    `files` is the number of files in the archive. `warnings` and `discrepancies` are exactly the codes that must occur,
    each once or more. `standings` are those of the payments, in the payload's order; all attempts at a transaction are
    one payment.
    """

    status: str
    state: str | None
    files: int
    warnings: frozenset[str]
    discrepancies: frozenset[str]
    standings: tuple[str, ...]


@dataclass(frozen=True)
class SimulatedArchive:
    """`scenario` is a stable short name (`lease-he`). `reference` is that of the body, also if the body is refused."""

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
