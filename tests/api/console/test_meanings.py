"""Every stable code has words in both languages: what is wrong, and what to do."""

from collections.abc import Callable, Mapping
from typing import get_args

import pytest

from adapters.settings.settings import Settings
from adapters.tables.open_conditions import NOT_KEPT
from adapters.words.languages import texts
from api.console.words import codes, languages
from api.console.words.meanings import answer_meaning, cause_meaning, wait_meaning
from domain.words.causes import ANSWERS, CAUSES, REFUSALS
from domain.words.findings import CONDITIONS, DISCREPANCIES, WARNINGS
from domain.words.parts import PARTS
from domain.words.wording import Meaning, meant
from models.archive.verdict import Outcome
from models.archive.warning import WarningCode
from models.completeness.processes import Closing, Why
from models.errors import AnswerCode, CauseCode, CellarError, RefusalCode, System, Transient
from models.messages.notification import Stage
from models.payments import DiscrepancyCode
from models.views.health import Verdict
from services.health.systems import system_probes


def lacking(expected: set[str], meanings: Mapping[str, Meaning]) -> list[str]:
    return sorted(code for code in expected if code not in meanings)


def test_causes_refusals_and_answers_that_errors_may_have_are_those_that_have_words() -> None:
    """mypy holds that an error has one of these codes, or a code that only the command line and programs meet."""
    causes, refusals, answers = (set(get_args(each)) for each in (CauseCode, RefusalCode, AnswerCode))

    assert (causes, refusals) == (CAUSES.keys() - {NOT_KEPT}, set(REFUSALS))
    assert answers == ANSWERS.keys() - CAUSES.keys()
    assert lacking({Transient("", system=each).code for each in (*System, None)} | {CellarError.code}, CAUSES) == []


def test_every_warning_and_discrepancy_has_words() -> None:
    assert lacking(set(WarningCode), WARNINGS) == []
    assert lacking(set(DiscrepancyCode), DISCREPANCIES) == []


def test_every_part_of_the_system_has_words(configure: Callable[..., Settings]) -> None:
    configure()
    names = {each.name for each in system_probes()} | {"disk of inbox", "disk of store"}

    assert lacking(names, PARTS) == []
    assert [each for each in sorted(names - {"Prefect", "ClamAV"}) if codes.part_text(each) == each] == []


@pytest.mark.parametrize(
    "meanings", [CAUSES, ANSWERS, WARNINGS, DISCREPANCIES, CONDITIONS, PARTS], ids=lambda each: next(iter(each))
)
def test_every_meaning_is_said_in_both_languages(meanings: Mapping[str, Meaning]) -> None:
    for code, meaning in meanings.items():
        hebrew = meant(meanings, code, texts("he"))
        assert hebrew
        assert (hebrew.what != meaning.what) == bool(meaning.what), code
        assert (hebrew.to_do != meaning.to_do) == bool(meaning.to_do), code


@pytest.mark.parametrize(
    ("codes_", "word"),
    [
        (list(Outcome), codes.code_text),
        (list(Stage), codes.code_text),
        (list(Closing), codes.code_text),
        (list(Why), codes.missing_text),
        (list(System), codes.waits_text),
        (list(Verdict), codes.code_text),
    ],
)
def test_every_verdict_stage_and_finding_has_its_hebrew(codes_: list[str], word: Callable[[str], str]) -> None:
    with languages.speaking("he"):
        assert [each for each in codes_ if word(each) == each and each != System.CLAMAV] == []


def test_every_wait_has_words_and_says_what_to_do() -> None:
    assert [each for each in System if not (meaning := wait_meaning(each)) or not meaning.to_do] == []


def test_code_of_another_version_has_no_words() -> None:
    assert (cause_meaning("BRAND_NEW"), cause_meaning(None), answer_meaning("BRAND_NEW")) == (None, None, None)
