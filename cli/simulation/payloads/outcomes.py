"""Simulated archives, and their outcomes: the expected, and the found."""

from dataclasses import asdict, dataclass

Values = dict[str, str | int | tuple[str, ...] | None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of an archive. What `errordesc` says is not expected.

    `status` is the answer: `"0"`, or `"-1"` for a refused body; or the reason why no answer could be read. `state` is
    None when the API does not know the archive, or was not asked. Codes stand once each, in alphabetical order, and
    standings in the order of the payload: all attempts at a transaction are one payment.
    """

    status: str
    errordesc: str = ""
    state: str | None = None
    files: int = 0
    warnings: tuple[str, ...] = ()
    discrepancies: tuple[str, ...] = ()
    standings: tuple[str, ...] = ()

    def comparable(self, *, waited: bool) -> Values:
        """Return the values that are compared. If not `waited`, only the answer can be compared."""
        values = asdict(self)
        del values["errordesc"]
        return values if waited else {"status": self.status}


@dataclass(frozen=True)
class SimulatedArchive:
    """A body to send. `scenario` is a stable short name (`lease-he`). Refused bodies have a `reference` too."""

    scenario: str
    reference: str
    body: bytes
    expectation: Outcome
