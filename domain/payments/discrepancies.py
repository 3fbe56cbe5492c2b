"""The life of discrepancies: what is found now, held against what there is."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from domain.payments.identity import discrepancy_id
from models.payments.discrepancy import Discrepancy, DiscrepancyCode, DiscrepancyState


@dataclass(frozen=True, slots=True)
class Known:
    """A discrepancy that there is, be it closed."""

    discrepancy: Discrepancy
    state: DiscrepancyState


@dataclass(frozen=True, slots=True)
class Transition:
    """What a discrepancy becomes. It is no event where it stays open and only its numbers are others."""

    discrepancy_id: str
    discrepancy: Discrepancy
    state: DiscrepancyState
    is_event: bool


def transitions(
    known: Mapping[str, Known], found: Mapping[str, Discrepancy], codes: Collection[DiscrepancyCode]
) -> list[Transition]:
    """Return what changes when, of these codes, exactly what is found is so. Pure.

    What is found opens, and opens again where it was closed. An explanation was for its numbers: with others the
    discrepancy is open again. What is found no more closes by itself. Those of other codes stay as they are.

    Args:
        known: by id.
        found: by id, all of `codes`.
        codes: what was looked for.
    """
    opened = [_opened(key, known.get(key), each) for key, each in found.items()]
    closed = [
        Transition(key, each.discrepancy, DiscrepancyState.CLOSED, is_event=True)
        for key, each in known.items()
        if each.discrepancy.code in codes and key not in found and each.state is not DiscrepancyState.CLOSED
    ]
    return [change for change in opened if change] + closed


def _opened(key: str, before: Known | None, found: Discrepancy) -> Transition | None:
    is_open = before is not None and before.state is DiscrepancyState.OPEN
    if before and before.discrepancy == found and before.state is not DiscrepancyState.CLOSED:
        return None
    return Transition(key, found, DiscrepancyState.OPEN, is_event=not is_open)


class Event(Protocol):
    """What happened to a discrepancy: a row of its history."""

    @property
    def state(self) -> str: ...


AnyEvent = TypeVar("AnyEvent", bound=Event)


def since_opened(events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
    """Return the part of a discrepancy's history that begins where it was opened last. Pure."""
    numbers = [number for number, event in enumerate(events) if event.state == DiscrepancyState.OPEN]
    return events[numbers[-1] :]


def by_id(reference: str | None, found: Iterable[Discrepancy]) -> dict[str, Discrepancy]:
    """Return discrepancies of an archive by their ids. What nothing tells apart is numbered: none is lost. Pure."""
    named: dict[str, Discrepancy] = {}
    times = Counter[str]()
    for each in found:
        key = discrepancy_id(reference, each)
        times[key] += 1
        distinct = each if times[key] == 1 else replace(each, subject=f"{each.subject} #{times[key]}")
        named[discrepancy_id(reference, distinct)] = distinct
    return named
