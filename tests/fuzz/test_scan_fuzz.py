"""The fuzz target meets every kind of verdict, finds planted faults, and repeats itself."""

from domain.body.scan import Scanner
from tests.fuzz.scan import Counts, fuzz

SEED = 20240607


def until(executions: int, counts: Counts) -> bool:
    return counts.executions >= executions


def test_a_thousand_executions_find_nothing_and_meet_every_verdict() -> None:
    counts, mismatch = fuzz(SEED, is_over=lambda counts: until(1000, counts))
    assert mismatch is None
    assert counts.accepted > 300
    assert counts.contents > 300
    codes = {"NOT_JSON", "NOT_BASE64", "NOT_UTF8", "NOT_AN_OBJECT", "TRUNCATED", "TOO_DEEP", "SKELETON_TOO_LARGE"}
    assert codes <= counts.refused.keys()
    assert all(counts.spellings.values())


class DropsAByte(Scanner):
    """A scanner that loses the last byte of a chunk of 31 bytes."""

    def feed(self, chunk: bytes) -> None:
        super().feed(chunk[:-1] if len(chunk) == 31 else chunk)


class TakesAnyPadding(Scanner):
    """A scanner that ignores padding, and so is wrong in every division of the body."""

    def feed(self, chunk: bytes) -> None:
        super().feed(chunk.replace(b"=", b" "))


def test_planted_faults_are_found_again_by_their_execution_number() -> None:
    for wrong in DropsAByte, TakesAnyPadding:
        _, mismatch = fuzz(SEED, is_over=lambda counts: until(1000, counts), scanner_class=wrong)
        assert mismatch is not None
        _, again = fuzz(SEED, is_over=lambda counts: until(1, counts), first=mismatch.number, scanner_class=wrong)
        assert again == mismatch
