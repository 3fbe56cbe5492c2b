"""The verdict on each signed PDF of the corpus, by the real judge in its child process."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from adapters.documents.examination import examine
from models.archive.verdict import Outcome
from tests.adapters.documents.corpus.clock import JUDGED_AT
from tests.adapters.documents.corpus.recipes import Row, made, rows

Judge = Callable[[Row], Outcome]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Return a function that makes a file of the corpus and judges it, once."""
    folder: Path = tmp_path_factory.mktemp("corpus")

    @cache
    def _judged(row: Row) -> Outcome:
        path = folder / row.file_name
        path.write_bytes(made(row.name))
        return examine(path, [], now=JUDGED_AT).outcome

    return _judged


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_verdict_is_the_expected(judged: Judge, row: Row) -> None:
    assert judged(row) in row.expected, row.why


def test_no_forged_file_is_called_sound(judged: Judge) -> None:
    forged = [row for row in rows() if not row.is_legitimate]

    assert [row.name for row in forged if judged(row) is Outcome.SOUND] == []


def test_at_most_one_legitimate_file_in_a_hundred_is_called_anything_else(judged: Judge) -> None:
    legitimate = [row for row in rows() if row.is_legitimate]

    assert len([row for row in legitimate if judged(row) not in row.expected]) <= len(legitimate) / 100


def test_corpus_has_files_of_every_outcome_and_no_two_of_one_name() -> None:
    assert frozenset.union(*(row.expected for row in rows())) == set(Outcome)
    assert len({row.file_name for row in rows()}) == len(rows()) >= 150
