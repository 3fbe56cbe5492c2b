"""Compares the outcome of simulated archives with the expected outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cli.simulation.payloads.scenarios import Outcome

_FINAL_STATES = ("completed", "failed")


@dataclass(frozen=True)
class Sent:
    """An archive that was sent, without its body, so that many large archives fit into memory."""

    scenario: str
    reference: str
    expectation: Outcome
    found: Outcome

    @property
    def is_awaited(self) -> bool:
        return self.found.status == "0" and self.found.state not in _FINAL_STATES


def differences(expectation: Outcome, found: Outcome, *, waited: bool) -> list[str]:
    """Return the names of the values that differ. If not `waited`, only the answer can be compared. Pure."""
    expected = expectation.comparable(waited=waited)
    return [name for name, value in expected.items() if getattr(found, name) != value]


@dataclass(frozen=True)
class Events:
    """The session events that were sent and acknowledged, and the references of the archives that were left out."""

    sent: int = 0
    acknowledged: int = 0
    left_out: tuple[str, ...] = ()

    def after(self, statuses: Sequence[str]) -> "Events":
        """Return what became of all events, after the answers to further events, by their status."""
        acknowledged = sum(each == "0" for each in statuses)
        return replace(self, sent=self.sent + len(statuses), acknowledged=self.acknowledged + acknowledged)

    def without(self, reference: str) -> "Events":
        return replace(self, left_out=(*self.left_out, reference))


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
