"""The verdict on each signed PDF of the corpus, by the real judge in its child process."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from adapters.documents.examination import examine
from domain.archive.indications import indication, sub_indications
from domain.archive.validation_report import validation_report
from models.archive.verdict import CoveredWords, Outcome, Verdict
from tests.adapters.documents.corpus.clock import JUDGED_AT
from tests.adapters.documents.corpus.recipes import Row, made, rows
from tests.validation_reports import read

Judge = Callable[[Row], Verdict]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Return a function that makes a file of the corpus and judges it, once."""
    folder: Path = tmp_path_factory.mktemp("corpus")

    @cache
    def _judged(row: Row) -> Verdict:
        path = folder / row.file_name
        path.write_bytes(made(row.name))
        return examine(path, [], now=JUDGED_AT)

    return _judged


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_verdict_is_the_expected(judged: Judge, row: Row) -> None:
    verdict = judged(row)
    outcome, integrity = verdict.outcome, (verdict.intact, verdict.valid)

    assert outcome in row.expected, row.why
    assert (False in integrity) is (outcome is Outcome.BROKEN)
    assert integrity == (True, True) or outcome not in (Outcome.SOUND, Outcome.FIELDS_CHANGED, Outcome.COVERED)
    assert verdict.changed_after_signing is (outcome is Outcome.CHANGED) or outcome in (
        Outcome.BROKEN,
        Outcome.UNREADABLE,
    )
    assert bool(verdict.reason) is (outcome is Outcome.UNREADABLE)


def test_no_forged_file_is_called_sound_or_covered(judged: Judge) -> None:
    forged = [row for row in rows() if not row.is_legitimate]

    assert [row.name for row in forged if judged(row).outcome in (Outcome.SOUND, Outcome.COVERED)] == []


def test_report_on_each_file_is_read_by_pyhanko_with_the_indications_of_the_verdict(judged: Judge) -> None:
    seen = set[tuple[str, str | None]]()
    for row in rows():
        report = validation_report(judged(row), "0c" * 32, JUDGED_AT, JUDGED_AT)
        said = [(indication(sub), sub) for _, sub in sub_indications(judged(row))]
        assert [(main.removeprefix("total-"), sub) for main, sub in read(report or b"")] == said, row.name
        seen.update(said)
    assert len(seen) >= 4


def test_covered_words_are_named_with_their_page_and_with_who_did_not_see_the_stamp(judged: Judge) -> None:
    (row,) = [row for row in rows() if row.name == "form + signed + stamped over the text"]

    assert judged(row).covered == (
        CoveredWords(1, "I owe you 100 to the World Health Organisation", "Second", ("First",)),
    )


def test_at_most_one_legitimate_file_in_a_hundred_is_called_anything_else(judged: Judge) -> None:
    legitimate = [row for row in rows() if row.is_legitimate]

    assert len([row for row in legitimate if judged(row).outcome not in row.expected]) <= len(legitimate) / 100


def test_corpus_has_files_of_every_outcome_and_no_two_of_one_name() -> None:
    assert frozenset.union(*(row.expected for row in rows())) == set(Outcome)
    assert len({row.file_name for row in rows()}) == len(rows()) >= 150


_WRITERS = ("form", "packed form", "hybrid form", "qpdf linearized form", "Acrobat linearized packed form")
_OTHERS = ("xref stream form", "tagged form", "nested form", "LibreOffice form", "form with a period", "scanned form")
_SIGNED = ("signed", "signed visibly", "certified 3", "signed by PAdES with a time stamp")
_LATER = (
    "signed again",
    "signed again + signed a third time",
    "signed again over the text",
    "validation data + document time stamp",
    "Agreed ticked + signed again + more validation data",
)
_ATTACKS = (
    "page content replaced",
    "page added",
    "page cropped",
    "layers added",
    "text covered by a free text",
    "text covered by a signature",
    "text covered by an empty signature field",
    "Amount hidden",
    "text field added",
    "comment appended",
)


@pytest.mark.faults
def test_none_of_240_genuine_documents_is_accused_and_none_of_200_forged_passes(judged: Judge) -> None:
    honest, forged = {Outcome.SOUND, Outcome.COVERED}, {Outcome.CHANGED, Outcome.BROKEN}

    def outcomes(documents: Sequence[str], later: Sequence[str]) -> dict[str, Outcome]:
        names = [" + ".join(parts) for parts in product(documents, _SIGNED, later)]
        return {name: judged(Row(name, is_legitimate=True, expected=frozenset(), why="")).outcome for name in names}

    genuine = outcomes((*_WRITERS, *_OTHERS, "Hebrew form"), _LATER)
    attacked = outcomes(_WRITERS, _ATTACKS)
    assert (len(genuine), len(attacked)) == (240, 200)
    assert {name: outcome for name, outcome in genuine.items() if outcome not in honest} == {}
    assert {name: outcome for name, outcome in attacked.items() if outcome not in forged} == {}
