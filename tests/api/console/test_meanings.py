"""Every stable code has words in both languages: what is wrong, and what to do."""

from collections.abc import Callable, Mapping
from typing import get_args

import pytest

from adapters.settings.settings import Settings
from api.console.words import codes, languages
from api.console.words.meanings.answers import ANSWERS, answer_meaning
from api.console.words.meanings.causes import CAUSES, cause_meaning, wait_meaning
from api.console.words.meanings.discrepancies import DISCREPANCIES
from api.console.words.meanings.meaning import Meaning, worded
from api.console.words.meanings.parts import PARTS
from api.console.words.meanings.refusals import REFUSALS
from api.console.words.meanings.warnings import WARNINGS
from models.archive.verdict import Outcome
from models.archive.warning import WarningCode
from models.completeness.processes import Closing, Why
from models.errors import CellarError, System, Transient
from models.messages.notification import Stage
from models.payments import DiscrepancyCode
from models.runs.cause import CauseCode, RefusalCode
from models.views.health import Verdict
from services.health.systems import system_probes
from services.views.failure_list import NOT_KEPT
from tests.api.console.stated_codes import codes_in

_OF_RUNS_AND_BODIES = (
    *("models", "domain/body", "domain/archive", "domain/runs", "domain/completeness/session_events.py"),
    *("flows/process_archive.py", "flows/execution", "services/processing", "services/receipts"),
    *("services/triggering", "adapters/inbox", "adapters/store", "adapters/database", "api/receiver/receiving.py"),
)
_OF_ACTIONS = (
    *("api/console", "services/bulk", "services/completeness", "services/messages", "services/payments"),
    *("services/redelivery", "services/triggering", "services/views", "services/receipts"),
    "adapters/peers/downstream.py",
)
_ELSEWHERE = {
    "BAD_PARAMETER": "of a request, which no run makes",
    "BODY_TIMEOUT": "of a body that is not whole, and is not kept",
    "NOT_DELIVERABLE": "ends a task of a flow, and never its run",
    "NO_ROWS": "of a settlement report, which `cellar settle` imports",
    "TOO_LARGE_TO_COMPARE": "of a request, which no run makes",
    "UNKNOWN_VERSION": "of a request, which no run makes",
    "UNREADABLE": "of a settlement report, which `cellar settle` imports",
}
"""Codes that neither a run nor a refused body has."""


def lacking(expected: set[str], meanings: Mapping[str, Meaning]) -> list[str]:
    return sorted(code for code in expected if code not in meanings)


def test_every_cause_and_refusal_has_words() -> None:
    systems = {Transient("", system=each).code for each in (*System, None)}
    stated = codes_in(*_OF_RUNS_AND_BODIES).keys() - _ELSEWHERE.keys()

    assert {"STORE_UNREADABLE", "NOT_JSON", "RUN_TIMEOUT", "CRASHED", "NOT_READ_BACK"} <= stated
    assert lacking({*stated, *systems, CellarError.code, NOT_KEPT}, CAUSES) == []


def test_filters_take_the_causes_and_refusals_that_have_words_and_no_others() -> None:
    assert (set(get_args(CauseCode)), set(get_args(RefusalCode))) == (CAUSES.keys() - {NOT_KEPT}, set(REFUSALS))


def test_every_answer_of_an_action_has_words() -> None:
    stated = codes_in(*_OF_ACTIONS).keys() - {"NOT_DELIVERABLE"}

    assert {"UNKNOWN_PATH", "NAME_TAKEN", "WRONG_STATE", "FINDING_CLOSED"} <= stated
    assert lacking({*stated, "CONFLICT", "UNAVAILABLE", "INTERNAL", "WRONG_METHOD"}, ANSWERS) == []


def test_every_warning_and_discrepancy_has_words() -> None:
    assert lacking(set(WarningCode), WARNINGS) == []
    assert lacking(set(DiscrepancyCode), DISCREPANCIES) == []


def test_every_part_of_the_system_has_words(configure: Callable[..., Settings]) -> None:
    configure()
    names = {each.name for each in system_probes()} | {"disk of inbox", "disk of store"}

    assert [lacking(names, PARTS[verdict]) for verdict in (Verdict.WARNING, Verdict.WRONG)] == [[], []]
    assert [each for each in sorted(names - {"Prefect", "ClamAV"}) if codes.part_text(each) == each] == []


@pytest.mark.parametrize(
    "meanings", [CAUSES, ANSWERS, WARNINGS, DISCREPANCIES, *PARTS.values()], ids=lambda each: next(iter(each))
)
def test_every_meaning_is_said_in_both_languages(meanings: Mapping[str, Meaning]) -> None:
    for code, meaning in meanings.items():
        with languages.speaking("he"):
            hebrew = worded(meanings, code)
        assert hebrew
        assert hebrew.what != meaning.what, code
        assert (hebrew.to_do != meaning.to_do) == bool(meaning.to_do), code


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (list(Outcome), codes.code_text),
        (list(Stage), codes.code_text),
        (list(Closing), codes.code_text),
        (list(Why), codes.missing_text),
        (list(System), codes.waits_text),
        (list(Verdict), codes.code_text),
    ],
)
def test_every_verdict_stage_and_finding_has_its_hebrew(texts: list[str], word: Callable[[str], str]) -> None:
    with languages.speaking("he"):
        assert [each for each in texts if word(each) == each and each != System.CLAMAV] == []


def test_every_wait_has_words_and_says_what_to_do() -> None:
    assert [each for each in System if not (meaning := wait_meaning(each)) or not meaning.to_do] == []


def test_code_of_another_version_has_no_words() -> None:
    assert (cause_meaning("BRAND_NEW"), cause_meaning(None), answer_meaning("BRAND_NEW")) == (None, None, None)
