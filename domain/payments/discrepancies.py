"""Decides which discrepancies open, reopen and close, by comparing what is found with what is recorded."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from domain.payments.identity import discrepancy_id
from domain.personal import MASK, hides
from domain.words.catalogue import word
from models.discrepancies import Discrepancy, DiscrepancyCode, DiscrepancyState
from models.said import Said, Sentence
from models.views.archives.payments import DiscrepancyView

_MOST_SIGNS = 100


def discrepancy(
    code: DiscrepancyCode,
    transaction_id: str | None,
    expected: Said,
    found: Said,
    subject: str = "",
    payment_id: str | None = None,
) -> Discrepancy:
    """Return a discrepancy of what is said to be expected and found. Pure."""
    return worded(Discrepancy(code, transaction_id, "", "", subject, payment_id), expected, found)


def worded(about: Discrepancy, expected: Said, found: Said) -> Discrepancy:
    """Return a discrepancy that says other values. Pure."""
    values = {"expected": expected.as_json(), "found": found.as_json()}
    return replace(about, expected=word(expected), found=word(found), values=values)


def sentence(code: str, expected: str, found: str) -> str:
    """Return the sentence for a discrepancy. It follows from stored members, so it is not stored itself. Pure."""
    return f"{DiscrepancyCode(code).meaning.what} Expected: {expected}. Found: {found}."


def told(found: Discrepancy | DiscrepancyView) -> dict[str, Any]:
    """Return what messages and Prefect, which data teams read, say of a discrepancy: nothing personal. Pure.

    In a form field without a payment, the client may have typed anything. Its id is shown only if it has the form of
    Cellosign's ids.
    """
    its = {
        name: MASK if hides("discrepancies", name, value, found.code) else value
        for name, value in (("expected", found.expected), ("found", found.found))
    }
    typed = hides("discrepancies", "transaction_id", found.transaction_id, found.code)
    shown = None if found.transaction_id is None or typed else found.transaction_id[:_MOST_SIGNS]
    return its | {"transaction_id": shown, "sentence": sentence(found.code, **its)}


MOST_OF_A_CODE = 200
"""The most discrepancies of one code in an archive. A body of 0.3 MB may have 400,000 causes of discrepancies."""


@dataclass(frozen=True, slots=True)
class Known:
    """A recorded discrepancy, in any state."""

    discrepancy: Discrepancy
    state: DiscrepancyState


@dataclass(frozen=True, slots=True)
class Transition:
    """The new state of a discrepancy. It is no event if the state stays and only the amounts change."""

    discrepancy_id: str
    discrepancy: Discrepancy
    state: DiscrepancyState
    is_event: bool


def transitions(
    known: Mapping[str, Known], found: Mapping[str, Discrepancy], codes: Collection[DiscrepancyCode]
) -> list[Transition]:
    """Return the transitions that make the open discrepancies with `codes` equal to `found`. Pure.

    A found discrepancy opens, or reopens if it was closed. An explained discrepancy whose amounts have changed reopens.
    A discrepancy that is no longer found closes. Discrepancies with other codes stay as they are.

    Args:
        known: recorded discrepancies by id.
        found: discrepancies by id, all with a code of `codes`.
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
    """An event in the history of a discrepancy."""

    @property
    def state(self) -> str: ...


AnyEvent = TypeVar("AnyEvent", bound=Event)


def since_opened(events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
    """Return a discrepancy's history since it was last opened. Pure."""
    numbers = [number for number, event in enumerate(events) if event.state == DiscrepancyState.OPEN]
    return events[numbers[-1] :]


def bounded(found: Iterable[Discrepancy]) -> Iterator[Discrepancy]:
    """Yield the discrepancies of an archive. Of a code with too many, the first, and one that counts the rest. Pure.

    What it yields, it yields unchanged.
    """
    counts = Counter[DiscrepancyCode]()
    last: dict[DiscrepancyCode, Discrepancy] = {}
    for each in found:
        counts[each.code] += 1
        if counts[each.code] < MOST_OF_A_CODE:
            yield each
        else:
            last.setdefault(each.code, each)
    for code, each in last.items():
        more = counts[code] - MOST_OF_A_CODE + 1
        expected, found_more = Sentence.at_most(number=MOST_OF_A_CODE - 1), Sentence.more(number=more)
        yield each if more == 1 else discrepancy(code, None, expected, found_more, "more")


def by_id(reference: str | None, found: Iterable[Discrepancy]) -> dict[str, Discrepancy]:
    """Return discrepancies by id, those of an archive bounded. Discrepancies with equal ids are numbered, so none is
    lost. Pure.
    """
    named: dict[str, Discrepancy] = {}
    times = Counter[str]()
    for each in found if reference is None else bounded(found):
        key = discrepancy_id(reference, each)
        times[key] += 1
        distinct = each if times[key] == 1 else replace(each, subject=f"{each.subject} #{times[key]}")
        named[discrepancy_id(reference, distinct)] = distinct
    return named
