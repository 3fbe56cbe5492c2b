"""Fuzz the scanner against the standard library: `python -m tests.fuzz.scan --minutes 30 [--seed N]`.

Random archive bodies in all spellings are broken at random and scanned in random chunks. The verdict must be the same
for all chunks, and equal to the oracle's (`tests/domain/body/scan_oracle.py`). An execution depends only on the seed
and its number, so `--seed N --first NUMBER` repeats it.

Exit status 0: nothing was found. 1: the scanner was wrong; the body is in a file, and the last lines say how to repeat.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from domain.body.scan import MAX_SKELETON_BYTES, Scanner
from tests.domain.body.scan_oracle import Accepted, Rejected, Unsure, assert_expected, outcome
from tests.fuzz.bodies import body_of, broken, chunk_sizes

MAX_SECONDS = 0.5
MAX_SECONDS_PER_BYTE = 20e-6
"""Generous: a scan of one byte at a time takes 1 µs a byte, and a machine may be busy."""


@dataclass
class Counts:
    """The work and the verdicts so far."""

    executions: int = 0
    scans: int = 0
    accepted: int = 0
    unjudged: int = 0
    contents: int = 0
    decoded_bytes: int = 0
    body_bytes: int = 0
    slowest_s: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    spellings: Counter[str] = field(default_factory=Counter)
    """Accepted bodies by peculiarity."""

    def __str__(self) -> str:
        refused = ", ".join(f"{code} {count}" for code, count in sorted(self.refused.items()))
        spellings = ", ".join(f"{name} {count}" for name, count in sorted(self.spellings.items()))
        return (
            f"{self.executions} executions, {self.scans} scans, {self.body_bytes} bytes; accepted {self.accepted} "
            f"with {self.contents} contents of {self.decoded_bytes} bytes [{spellings}]; refused: {refused or 'none'}; "
            f"unjudged {self.unjudged}; slowest {self.slowest_s:.3f} s"
        )


@dataclass(frozen=True)
class Mismatch:
    """An execution in which the scanner was wrong."""

    number: int
    body: bytes
    reason: str


class Wrongness(Exception):
    """The scanner was wrong."""


_PECULIARITIES = {
    "escaped slash": b"\\/",
    "unicode escape": b"\\u00",
    "line break": b"\\n",
    "data URI": b"base64,",
    "url-safe": b"_",
    "byte order mark": b"\xef\xbb\xbf",
    "lone surrogate": b"\\ud8",
}


@dataclass(frozen=True)
class Case:
    """A body, ways to divide it into chunks, and the limit of its skeleton."""

    body: bytes
    chunkings: list[list[int]]
    max_skeleton_bytes: int


def case_of(chance: random.Random) -> Case:
    """Return a random case; its body may be valid or not."""
    body = body_of(chance)
    if chance.random() < 0.6:
        body = broken(body, chance)
    limit = chance.randrange(1 + len(body)) if chance.random() < 0.1 else MAX_SKELETON_BYTES
    return Case(body, chunk_sizes(body, chance), limit)


def check(case: Case, counts: Counts, scanner_class: type[Scanner] = Scanner) -> None:
    """Scan a body whole and in every given chunking, and compare the answers.

    Raises:
        Wrongness: the answers differ, differ from the oracle's, or took too long.
    """
    whole = _timed_outcome(case, [], counts, scanner_class)
    for sizes in case.chunkings:
        found = _timed_outcome(case, sizes, counts, scanner_class)
        if found != whole:
            raise Wrongness(f"in chunks of {sizes[:20]}: {_brief(found)}; whole: {_brief(whole)}")
    if not (isinstance(whole, Rejected) and whole.code == "SKELETON_TOO_LARGE"):
        _judge(whole, case.body, counts)
    _count(whole, case.body, counts)


def _judge(whole: Accepted | Rejected, body: bytes, counts: Counts) -> None:
    try:
        assert_expected(whole, body)
    except Unsure:
        counts.unjudged += 1
    except AssertionError as error:
        raise Wrongness(f"{_brief(whole)} is not what the standard library says: {error}") from error


def _timed_outcome(case: Case, sizes: list[int], counts: Counts, scanner_class: type[Scanner]) -> Accepted | Rejected:
    began = time.thread_time()
    try:
        found = outcome(case.body, sizes, max_skeleton_bytes=case.max_skeleton_bytes, scanner_class=scanner_class)
    except Exception as error:
        raise Wrongness(f"{type(error).__name__} in chunks of {sizes[:20]}: {error}") from error
    seconds = time.thread_time() - began
    counts.scans += 1
    counts.slowest_s = max(counts.slowest_s, seconds)
    if seconds > MAX_SECONDS + MAX_SECONDS_PER_BYTE * len(case.body):
        raise Wrongness(f"{seconds:.1f} s for {len(case.body)} bytes")
    return found


def _brief(found: Accepted | Rejected) -> str:
    if isinstance(found, Rejected):
        return f"{found.code} at {found.where or 'the root'}, {found.detail}"
    return f"accepted with {len(found.contents)} contents"


def _count(whole: Accepted | Rejected, body: bytes, counts: Counts) -> None:
    counts.body_bytes += len(body)
    if isinstance(whole, Rejected):
        counts.refused[whole.code] += 1
        return
    counts.accepted += 1
    counts.contents += len(whole.contents)
    counts.decoded_bytes += sum(map(len, whole.contents))
    counts.spellings.update(name for name, mark in _PECULIARITIES.items() if mark in body)


def fuzz(
    seed: int,
    *,
    is_over: Callable[[Counts], bool],
    first: int = 0,
    scanner_class: type[Scanner] = Scanner,
    progress: Callable[[Counts], None] = lambda _: None,
) -> tuple[Counts, Mismatch | None]:
    """Run executions from number `first` until `is_over` or until the scanner is wrong."""
    counts = Counts()
    while not is_over(counts):
        number = first + counts.executions
        case = case_of(random.Random(f"{seed}:{number}"))
        try:
            check(case, counts, scanner_class)
        except Wrongness as wrongness:
            return counts, Mismatch(number, case.body, str(wrongness))
        counts.executions += 1
        progress(counts)
    return counts, None


class _EveryMinute:
    """Prints the counts once a minute."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()

    def __call__(self, counts: Counts) -> None:
        now = time.monotonic()
        if now - self._said >= 60:
            self._said = now
            _say(f"{(now - self._began) / 60:.0f} min: {counts}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--first", type=int, default=0, help="the number of the first execution")
    arguments = parser.parse_args()
    _say(f"seed {arguments.seed}")
    end = time.monotonic() + arguments.minutes * 60
    counts, mismatch = fuzz(
        arguments.seed,
        is_over=lambda _: time.monotonic() >= end,
        first=arguments.first,
        progress=_EveryMinute(),
    )
    if mismatch:
        with tempfile.NamedTemporaryFile(prefix="scan-mismatch-", suffix=".json", delete=False) as file:
            file.write(mismatch.body)
        _say(f"WRONG in execution {mismatch.number}: {mismatch.reason}")
        _say(f"body of {len(mismatch.body)} bytes: {Path(file.name)}")
        _say(f"again: python -m tests.fuzz.scan --seed {arguments.seed} --first {mismatch.number}")
        return 1
    _say(f"nothing found, seed {arguments.seed}: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
