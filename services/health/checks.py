"""Asks several systems at once, all within the same time: a system that hangs delays neither answers nor the exit."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from models.errors import CellarError, System, Transient
from models.views.health import Check, Verdict

T = TypeVar("T")

_AS_ITS_USER = "run the command as the user who runs cellar, or give the path to this user by `chown`"


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The value that a question returned, or why there is none, and which system failed, if that is known."""

    value: T | None
    failure: str = ""
    system: System | None = None
    to_do: str | None = None
    """What to do about this failure, where that is known better than for the question in general."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe found. `to_do`: what to do about it, where the probe's own advice does not fit."""

    verdict: Verdict
    text: str
    to_do: str | None = None


ok, off = partial(Found, Verdict.OK), partial(Found, Verdict.OFF)
warning, wrong = partial(Found, Verdict.WARNING), partial(Found, Verdict.WRONG)


@dataclass(frozen=True, slots=True)
class Probe:
    """A check to make. `try_out` returns what it found; its error means that something is wrong.

    `to_do` helps where something is wrong or warns. `needs`: systems without which nothing is known. Other checks
    report that a system is away.
    """

    name: str
    try_out: Callable[[], Found]
    to_do: str
    needs: tuple[System, ...] = ()


def examined(probes: Sequence[Probe], within_s: float) -> list[Check]:
    """Return the results of all probes, in their order."""
    answers = answered({each.name: each.try_out for each in probes}, within_s)
    return [checked(each, answers[each.name]) for each in probes]


def checked(probe: Probe, answer: Answer[Found]) -> Check:
    """Return the result of a probe from its answer. Pure."""
    found = answer.value or wrong(answer.failure, answer.to_do)
    if answer.value is None and answer.system in probe.needs:
        found = off(f"not known while the {answer.system} does not answer".replace("the Prefect", "Prefect"))
    to_do = found.to_do
    if to_do is None:
        to_do = probe.to_do if found.verdict in (Verdict.WARNING, Verdict.WRONG) else ""
    return Check(name=probe.name, verdict=found.verdict, found=found.text, to_do=to_do)


def answered(questions: Mapping[str, Callable[[], T]], within_s: float) -> dict[str, Answer[T]]:
    """Ask all questions at once and return the answers that come in time, by name.

    The threads are daemons: a pool would wait at the exit for a mount or a server that hangs.
    """
    queue = SimpleQueue[tuple[str, Answer[T]]]()
    for name, question in questions.items():
        threading.Thread(target=_ask, args=(name, question, queue), daemon=True).start()
    answers: dict[str, Answer[T]] = {}
    deadline = time.monotonic() + within_s
    while len(answers) < len(questions):
        try:
            name, answer = queue.get(timeout=max(deadline - time.monotonic(), 0.001))
        except Empty:
            break
        answers[name] = answer
    silent = Answer[T](None, f"no answer within {within_s:g} s")
    return {name: answers.get(name, silent) for name in questions}


def _ask(name: str, question: Callable[[], T], queue: "SimpleQueue[tuple[str, Answer[T]]]") -> None:
    try:
        queue.put((name, Answer(question())))
    except Exception as error:  # noqa: BLE001 -- whatever fails is a line of the report, and the other lines follow
        system = error.system if isinstance(error, Transient) else None
        to_do = _AS_ITS_USER if PermissionError in (type(error), type(error.__cause__)) else None
        queue.put((name, Answer(None, _reason(error), system, to_do)))


def _reason(error: Exception) -> str:
    if isinstance(error, CellarError):
        return error.in_full()
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"an unexpected {type(error).__name__}"
