"""Compares the outcome of simulated archives with the expected outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cli.simulation.events import Events
from cli.simulation.payloads.expectations import Expectation

_FINAL_STATES = ("completed", "failed")


Values = dict[str, str | int | tuple[str, ...] | None]


@dataclass(frozen=True)
class Result:
    """The outcome of an archive. `status` is the receiver's answer, or the reason why no answer could be read.

    `state` is None when the API does not know the archive, or was not asked. Codes are in alphabetical order, standings
    in the order of the payload.
    """

    status: str
    errordesc: str = ""
    state: str | None = None
    files: int = 0
    warnings: tuple[str, ...] = ()
    discrepancies: tuple[str, ...] = ()
    standings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """An archive that was sent, without its body, so that many large archives fit into memory."""

    scenario: str
    reference: str
    expectation: Expectation
    found: Result

    @property
    def is_awaited(self) -> bool:
        return self.found.status == "0" and self.found.state not in _FINAL_STATES


def differences(expectation: Expectation, found: Result, *, waited: bool) -> list[str]:
    """Return the names of the values that differ. If not `waited`, only the answer can be compared. Pure."""
    return [name for name, value in comparable(expectation, waited=waited).items() if getattr(found, name) != value]


def comparable(expectation: Expectation, *, waited: bool) -> Values:
    """Return the comparable part of an expectation, with the names and types of `Result`."""
    if not waited:
        return {"status": expectation.status}
    return {
        "status": expectation.status,
        "state": expectation.state,
        "files": expectation.files,
        "warnings": tuple(sorted(expectation.warnings)),
        "discrepancies": tuple(sorted(expectation.discrepancies)),
        "standings": expectation.standings,
    }


@dataclass(frozen=True)
class Comparison:
    """The outcomes of all archives, or the `error` that prevents a comparison."""

    url: str
    seed: int
    waited: bool
    sent: Sequence[Sent]
    error: str = ""
    events: Events = field(default_factory=Events)

    def differences(self, one: Sent) -> list[str]:
        return differences(one.expectation, one.found, waited=self.waited)

    @property
    def as_expected(self) -> int:
        return sum(not self.differences(one) for one in self.sent)

    @property
    def is_good(self) -> bool:
        are_acknowledged = self.events.sent == self.events.acknowledged
        return not self.error and are_acknowledged and self.as_expected == len(self.sent)
