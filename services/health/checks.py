"""Asks several systems at once, all within the same time: a system that hangs delays neither answers nor the exit."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from domain.words.catalogue import word
from domain.words.parts import advice
from models.errors import CellarError, System, Transient
from models.said import Said, Sentence, Value, verbatim
from models.views.health import Check, Grade

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The value that a question returned, or why there is none, and which system failed, if that is known."""

    value: T | None
    failure: Said = Said("text", {"text": ""})  # noqa: RUF009 -- frozen
    system: System | None = None
    is_denied: bool = False
    """Whether the user who asks may not open what it is about."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe found. `to_do`: what to do about it, where the catalogue cannot know."""

    verdict: Grade
    said: Said
    to_do: str = ""


def ok(sentence: Sentence, /, **values: Value) -> Found:
    return Found(Grade.OK, sentence(**values))


def off(sentence: Sentence, /, **values: Value) -> Found:
    return Found(Grade.OFF, sentence(**values))


def warning(sentence: Sentence, /, **values: Value) -> Found:
    return Found(Grade.WARNING, sentence(**values))


def wrong(sentence: Sentence, /, **values: Value) -> Found:
    return Found(Grade.WRONG, sentence(**values))


def plain(verdict: Grade, english: str, to_do: str = "") -> Found:
    """Return what was found in English: `cellar status` alone shows it."""
    return Found(verdict, verbatim(english), to_do)


@dataclass(frozen=True, slots=True)
class Probe:
    """A check to make. `try_out` returns what it found; its error means that something is wrong.

    `needs`: systems without which nothing is known. Other checks report that a system is away.
    """

    name: str
    try_out: Callable[[], Found]
    needs: tuple[System, ...] = ()


def examined(probes: Sequence[Probe], within_s: float) -> list[Check]:
    """Return the results of all probes, in their order."""
    answers = answered({each.name: each.try_out for each in probes}, within_s)
    return [checked(each, answers[each.name]) for each in probes]


def checked(probe: Probe, answer: Answer[Found]) -> Check:
    """Return the result of a probe from its answer. Pure."""
    found = answer.value or Found(Grade.WRONG, answer.failure)
    if answer.value is None and answer.system in probe.needs:
        found = off(Sentence.unknown_without, system=Said(f"waits_{answer.system}"))
    code = "not_this_user" if answer.is_denied else found.said.code
    return Check(
        name=probe.name,
        verdict=found.verdict,
        code=found.said.code,
        values=dict(found.said.values),
        found=word(found.said),
        to_do=found.to_do or advice(probe.name, code, found.verdict),
    )


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
    silent = Answer[T](None, Sentence.no_answer_within(seconds=f"{within_s:g}"))
    return {name: answers.get(name, silent) for name in questions}


def _ask(name: str, question: Callable[[], T], queue: "SimpleQueue[tuple[str, Answer[T]]]") -> None:
    try:
        queue.put((name, Answer(question())))
    except Exception as error:  # noqa: BLE001 -- whatever fails is a line of the report, and the other lines follow
        system = error.system if isinstance(error, Transient) else None
        is_denied = PermissionError in (type(error), type(error.__cause__))
        queue.put((name, Answer(None, verbatim(_reason(error)), system, is_denied)))


def _reason(error: Exception) -> str:
    if isinstance(error, CellarError):
        return error.in_full()
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"an unexpected {type(error).__name__}"
