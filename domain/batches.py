"""Decides what a batch does next and what became of its items, and words its plan for people."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

from pydantic import BaseModel

from domain.words.catalogue import word
from models.archive.archive import State
from models.runs.batch import BatchKind, ItemState, Skipped
from models.runs.receipt import RunState
from models.said import Said, Sentence
from models.views.batch import ErasurePlan, Plan, RedeliveryPlan, RerunPlan

Key = TypeVar("Key")
AT_ONCE = 2
"""The runs of bulk re-runs that are on their way at once. A worker works on sixteen."""
AT_ONCE_BESIDE_NEW = 1
RUNNABLE = (State.FAILED, State.COMPLETED)
"""An archive in another state has a run on its way."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that is not recorded yet, the filter that it follows from, and the number of its items."""

    filter: BaseModel
    plan: Plan
    planned: int


@dataclass(frozen=True, slots=True)
class Settled:
    """How many started items are still on their way, and how many have ended."""

    on_their_way: int
    ended: int


def end_of(run_state: str, receipt_state: str | None) -> ItemState | None:
    """Return what became of a started archive by the newest attempt of its run, None while that is on its way. Pure.

    A crashed attempt is followed by another attempt, unless it was the last and the receipt has failed.
    """
    if run_state == RunState.COMPLETED:
        return ItemState.COMPLETED
    if run_state in (RunState.FAILED, RunState.CANCELLED):
        return ItemState.FAILED
    return ItemState.FAILED if (run_state, receipt_state) == (RunState.CRASHED, State.FAILED) else None


def room(in_flight: int, new_archives: int) -> int:
    """Return how many further runs may start. New archives go first: beside them, the limit is one run. Pure."""
    return max(0, (AT_ONCE_BESIDE_NEW if new_archives else AT_ONCE) - in_flight)


def skipped(was: State, is_now: State | None) -> Skipped | None:
    """Return why an archive of a frozen list no longer needs a run, None if it still needs a run. Pure."""
    if is_now is None:
        return Skipped.GONE
    if is_now not in RUNNABLE:
        return Skipped.ON_ITS_WAY
    if is_now is State.COMPLETED and was is not State.COMPLETED:
        return Skipped.COMPLETED_SINCE
    return None


def seconds_for(archives: int, durations_s: Sequence[float]) -> float | None:
    """Return how long archives take at the pace of recent runs, None if there were none. Pure."""
    return archives * median(durations_s) / AT_ONCE if durations_s else None


def summed(numbers: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    """Add up numbers by key, the largest sum first. Pure."""
    sums: Counter[Key] = Counter()
    for key, number in numbers:
        sums[key] += number
    return dict(sums.most_common())


def duration_text(seconds: float) -> str:
    """Return a duration as people say it. Pure."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def filter_text(chosen: Mapping[str, Any]) -> str:
    """Return the filters that are set, such as `state=failed, cause=STORE_AWAY`. Pure."""
    return ", ".join(f"{name}={value}" for name, value in chosen.items()) or "everything"


def most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return counts in the order of people. The database keeps the members of a plan in an order of its own. Pure."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _rerun_rows(plan: RerunPlan) -> list[tuple[str, str, int]]:
    """Return what a plan counts: kind, value and number of archives, the most frequent first. Pure."""
    rows = [("state", state, archives) for state, archives in most_first(plan.states)]
    rows += [
        ("cause", f"{each.code} in {each.task}" if each.task else each.code, each.archives) for each in plan.causes
    ]
    rows += [("template", each.template_id or "(unknown)", each.archives) for each in plan.templates]
    if plan.archives_of_other_templates:
        rows.append(("template", "(other templates)", plan.archives_of_other_templates))
    return rows


def _rerun_sentences(plan: RerunPlan) -> Iterator[Said]:
    """Yield what would be done again, what stays, and how long it takes. Pure."""
    if plan.archives:
        yield Sentence.archives_again(count=plan.archives)
        yield Sentence.right_stays()
    else:
        yield Sentence.no_archive_again()
    of_archives = {
        Sentence.complete_among: plan.complete,
        Sentence.undelivered_again: plan.undelivered,
        Sentence.archives_notify: plan.archives - plan.complete if plan.endpoints else 0,
    }
    counts = (of_archives if plan.archives else {}) | {Sentence.archives_on_way: plan.on_their_way}
    yield from (sentence(count=count, endpoints=plan.endpoints) for sentence, count in counts.items() if count)
    if plan.archives and plan.seconds is None:
        yield Sentence.archives_take_unknown()
    elif plan.archives and plan.seconds is not None:
        duration = duration_text(plan.seconds)
        yield Sentence.archives_take(duration=duration, count=plan.measured_runs, at_once=plan.at_once)


def _redelivery_rows(plan: RedeliveryPlan) -> list[tuple[str, str, int]]:
    """Return what a plan counts: kind, value and number of messages, the most frequent first. Pure."""
    by_endpoint = {each.endpoint: each.messages for each in plan.endpoints}
    kinds: Mapping[str, Mapping[str, int]] = {"endpoint": by_endpoint, "state": plan.states, "event": plan.events}
    return [(kind, value, messages) for kind, counts in kinds.items() for value, messages in most_first(counts)]


def _redelivery_sentences(plan: RedeliveryPlan) -> Iterator[Said]:
    """Yield what would be sent, what stays, and how long it takes. Pure."""
    yield Sentence.messages_again(count=plan.messages) if plan.messages else Sentence.no_message_again()
    if confirmed := plan.states.get("delivered", 0):
        yield Sentence.messages_confirmed(count=confirmed)
    yield from (Sentence.messages_left_out(name=name, count=count) for name, count in plan.left_out.items())
    if plan.filtered:
        yield Sentence.messages_filtered(count=plan.filtered)
    yield from (Sentence.endpoint_fails_now(name=each.endpoint) for each in plan.endpoints if each.failing)
    if plan.messages:
        yield Sentence.messages_take_unknown()


def _erasure_rows(plan: ErasurePlan) -> list[tuple[str, str, int]]:
    """Return what a plan counts. Pure."""
    left_out = {"held": plan.held, "on its way": plan.on_their_way}
    return [("left out", why, archives) for why, archives in left_out.items() if archives]


def _erasure_sentences(plan: ErasurePlan) -> Iterator[Said]:
    """Yield what would be removed, what is left out and why, and what stays for a time. Pure."""
    if plan.archives:
        size = f"{max(0.1, plan.size_bytes / 1_000_000):,.1f} MB"
        yield Sentence.archives_erased(count=plan.archives, files=plan.files, size=size)
    else:
        yield Sentence.no_archive_erased()
    left_out = {Sentence.archives_held: plan.held, Sentence.archives_on_way: plan.on_their_way}
    yield from (sentence(count=count) for sentence, count in left_out.items() if count)
    if not plan.archives:
        return
    if plan.locked_until:
        yield Sentence.erasure_locked(until=Sentence.moment(at=plan.locked_until.isoformat()).as_json())
    if plan.events_days:
        yield Sentence.erasure_events(count=plan.events_days)
    yield Sentence.erasure_backups()
    if plan.approvers > 1:
        yield Sentence.erasure_second()


@dataclass(frozen=True, slots=True)
class Words:
    """How people speak of a kind of batch: of the batch, of its items, and of what became of each."""

    batch: str
    items: str
    rows: Callable[[Any], list[tuple[str, str, int]]]
    sentences: Callable[[Any], Iterator[Said]]
    question: str
    became: Mapping[ItemState, str]


def _became(*words: str) -> Mapping[ItemState, str]:
    ends = (ItemState.COMPLETED, ItemState.SKIPPED, ItemState.FAILED, ItemState.STARTED)
    return dict(zip(ends, words, strict=True))


WORDS: Mapping[str, Words] = {
    BatchKind.RERUN: Words(
        batch="bulk re-run",
        items="archives",
        rows=_rerun_rows,
        sentences=_rerun_sentences,
        question="Run {} archives again?",
        became=_became("completed", "skipped, since they no longer needed a run", "failed again", "on their way"),
    ),
    BatchKind.REDELIVER: Words(
        batch="redelivery",
        items="messages",
        rows=_redelivery_rows,
        sentences=_redelivery_sentences,
        question="Deliver {} messages again?",
        became=_became("delivered", "skipped", "dead", "pending"),
    ),
    BatchKind.ERASE: Words(
        batch="erasure",
        items="archives",
        rows=_erasure_rows,
        sentences=_erasure_sentences,
        question="Erase {} archives for good?",
        became=_became("erased", "skipped, since they are held, on their way or gone", "failed", "being erased"),
    ),
}
"""By the kind of a batch."""


def explained(kind: str, plan: Plan) -> Iterator[str]:
    """Yield in English what a plan says, and its causes, which a page shows in a table. Pure."""
    yield from map(word, WORDS[kind].sentences(plan))
    if isinstance(plan, RerunPlan):
        yield from (f"{each.code}: {each.sentence}" for each in plan.causes if each.sentence)
