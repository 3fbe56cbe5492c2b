"""What is said is worded in every language, from its code and its values."""

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import get_args

import pytest

from adapters.tables.open_conditions import NOT_KEPT
from adapters.words.languages import worded
from domain.archive.verdict_text import document_text
from domain.words.catalogue import FINDINGS, MEANINGS, TEXTS, named
from domain.words.causes import ANSWERS, CAUSES, REFUSALS
from domain.words.codes import WORDS
from models.archive.archive import WarningCode
from models.archive.verdict import UNREADABLE, LaterChange, Outcome, Strength, Tier, TimeSource
from models.completeness.processes import Closing, Why
from models.discrepancies import DiscrepancyCode
from models.errors import AnswerCode, CauseCode, CellarError, RefusalCode, System, Transient
from models.messages.notification import Stage
from models.said import Said, Sentence, because, moment, verbatim
from models.settlements.settlement import EntryKind
from models.store.condition import ALL_CODES
from models.views.health import Grade as Health

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "english", "hebrew"),
    [
        (
            Sentence.run_started(number=2, trigger=Said("rerun")),
            "attempt 2 started by a person",
            "ניסיון 2 התחיל, הופעל על ידי: אדם",
        ),
        (
            Sentence.run_failed(number=1, state=Said("Failed"), cause=named("STORE_AWAY")),
            "attempt 1 ended: Failed. The store does not answer, or cannot be written. (STORE_AWAY)",
            "ניסיון 1 הסתיים: נכשל. המאגר אינו עונה, או שאי אפשר לכתוב אליו. (STORE_AWAY)",
        ),
        (Sentence.body_refused(cause=named("BRAND_NEW")), "refused: BRAND_NEW", "נדחה: BRAND_NEW"),
        (
            Sentence.process_missing(missing=Said("missing_submitted")),
            "the process is missing: submitted, and not archived",
            "התהליך חסר: הוגש, ולא התקבל",
        ),
        (
            Sentence.message_skipped_because(
                message=Sentence.message_to(event="archive.completed", endpoint="crm"),
                why=verbatim("100% של דנה"),
            ),
            "archive.completed to crm is skipped: 100% של דנה",
            "archive.completed אל crm: דולג: 100% של דנה",
        ),
        (Sentence.endpoint_answered(status=500), "the endpoint answered 500", "היעד החזיר קוד מצב 500"),
        (
            Sentence.endpoint_disabled(why=Sentence.endpoint_gone().as_json()),
            "the endpoint is disabled: the endpoint answered 410 Gone",
            "היעד מושבת: היעד ענה שאינו קיים עוד (410)",
        ),
        (Sentence.either(amount="7.00 ILS", more=["8.00 ILS"]), "7.00 ILS or 8.00 ILS", "7.00 ILS או 8.00 ILS"),
        (
            Sentence.in_attempt(found=Sentence.success_authorised().as_json(), number=2),
            "a success with an authorisation number, in attempt 2",
            "הצלחה עם מספר אישור, בניסיון 2",
        ),
        (
            Sentence.unknown_without(system=Said("waits_store")),
            "not known while the store does not answer",
            "לא ידוע כל עוד המאגר לא זמין",
        ),
        (
            Sentence.payment_for(kind=Said("kind_refund"), amount="5.00 ILS", day="2026-07-01"),
            "a payment for the refund of 5.00 ILS settled on 2026-07-01",
            "תשלום עבור זיכוי של 5.00 ILS, שסולק בתאריך 2026-07-01",
        ),
        (
            Sentence.several_in_more(named=["a", "b"]),
            "several payments, in a, b and others",
            "כמה תשלומים, ב-a, b ועוד",
        ),
        (Sentence.text(text=moment(NOON)), "2026-07-01 12:00:00 UTC", "2026-07-01 12:00:00 UTC"),
        (Said("a_code_of_another_version", {"number": 1}), "a_code_of_another_version", "a_code_of_another_version"),
    ],
)
def test_sentence_is_worded_in_each_language(told: Said, english: str, hebrew: str) -> None:
    assert (worded(told), worded(told, "he")) == (english, hebrew)


def test_verdict_speaks_hebrew() -> None:
    verdict = replace(UNREADABLE, **because(reason=Sentence.password_needed()))
    texts = ["לא קריא: אי אפשר לבדוק את חתימות המסמך, כי הוא נפתח רק בסיסמה.", "לא ידוע", "לא ידוע", "לא ידוע"]

    assert [worded(each, "he") for each in document_text(verdict).values() if each] == texts


def test_every_member_that_is_a_code_or_by_which_one_is_made_has_words() -> None:
    made: list[tuple[str, type[StrEnum]]] = [("document_", Outcome), ("tier_", Tier), ("strength_", Strength)]
    made += [("time_from_", TimeSource), ("kind_", EntryKind), ("missing_", Why), ("waits_", System)]
    made += [
        ("", Stage),
        ("", Closing),
        ("", Health),
        ("", Outcome),
    ]
    codes = [f"{prefix}{each}" for prefix, members in made for each in members]
    codes += [f"change_{each}" for each in LaterChange if each is not LaterChange.NONE]

    assert [each for each in codes if worded(Said(each)) == each] == []


def test_causes_refusals_and_answers_that_errors_may_have_are_those_that_have_words() -> None:
    """mypy holds that an error has one of these codes, or a code that only the command line and programs meet."""
    causes, refusals, answers = (set(get_args(each)) for each in (CauseCode, RefusalCode, AnswerCode))
    of_systems = {Transient("", system=each).code for each in (*System, None)} | {CellarError.code}

    assert (causes, refusals) == (CAUSES.keys() - {NOT_KEPT}, set(REFUSALS))
    assert answers == ANSWERS.keys() - CAUSES.keys()
    assert of_systems <= CAUSES.keys()


def test_a_code_means_one_thing() -> None:
    assert len(MEANINGS) == sum(map(len, (CAUSES, WarningCode, DiscrepancyCode, ALL_CODES)))
    with_detail = [each for each in FINDINGS.values() if each.detail]
    assert len(TEXTS) == sum(map(len, (WORDS, Sentence, MEANINGS, with_detail)))
