"""Letters say what, how many, since when and what to do, on a phone's screen."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.words.languages import texts, worded
from domain.people.letters import Places, counts_text, ended_text, missing_text, trial_text, words
from domain.people.notices import Word, opened
from domain.words.wording import LANGUAGES, Language
from models.people import Notice, NoticeKind, Sighting
from models.said import Sentence, verbatim
from models.store.condition import ConditionCode

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=2)
PLACES = Places("https://cellar.example", "https://prefect.example")


def notice(kind: NoticeKind, key: str = "", count: int = 12, detail: str = "") -> Notice:
    seen = Sighting(kind, key, count, NOON, LATER, verbatim(detail) if detail else None)
    return opened(seen, "n").model_copy(update={"most": 500})


def said(of: Notice, word: Word = Word.FIRST, language: Language = "en") -> list[str]:
    made = words(of, word, PLACES, NOON + timedelta(hours=3), texts(language))
    return [made.title, *made.text.split("\n")]


def test_failures_name_cause_number_times_and_command() -> None:
    assert said(notice(NoticeKind.ARCHIVES_FAILED, "NO_MEMBER", detail="sessions[0]: expected an id")) == [
        "cellar: 12 archives have failed (NO_MEMBER)",
        "sessions[0]: expected an id",
        "Since 2026-01-01 12:00 UTC, the last at 2026-01-01 14:00 UTC.",
        "A person is needed: `cellar failures`, then `cellar rerun --failed --cause NO_MEMBER`.",
        "https://cellar.example/console/failed",
    ]


def test_wait_says_that_archives_go_on_by_themselves() -> None:
    assert said(notice(NoticeKind.SYSTEM_AWAY, "store", 120))[:3] == [
        "cellar: 120 archives wait for the store",
        "Since 2026-01-01 12:00 UTC (3 h). See `cellar doctor`.",
        "Archives go on by themselves once it is back. They are given up after three days.",
    ]
    assert "Bring the key back in `secrets/seal`" in said(notice(NoticeKind.SYSTEM_AWAY, "key"))[1]


def test_end_says_how_long_and_how_many() -> None:
    over = notice(NoticeKind.SYSTEM_AWAY, "store").model_copy(update={"gone_at": NOON + timedelta(minutes=150)})

    assert said(over, Word.OVER) == [
        "cellar: no archive waits for the store any longer",
        "2026-01-01 12:00 UTC to 2026-01-01 14:30 UTC. 500 archives waited.",
        "Nothing to do.",
    ]


def test_deadlines_say_how_many_are_deleted_within_which_hours() -> None:
    deadlines = [NOON + timedelta(hours=hours) for hours in (1.5, 11, 23, 24)]

    assert worded(missing_text(deadlines, NOON)) == (
        "To be deleted: 1 within 2 h; 2 within 12 h; 4 within 24 h; the first in 90 min, at 2026-01-01 13:30 UTC."
    )
    assert (ended := ended_text(5, 1, 0))
    assert worded(ended) == "archived: 5; deleted by Cellosign: 1."
    assert ended_text(0, 0, 0) is None


def test_condition_without_a_letter_of_its_own_says_what_it_means_and_what_to_do() -> None:
    assert said(notice(NoticeKind.CONDITION, "FILE_MISSING", 3)) == [
        "cellar: FILE_MISSING (3)",
        ConditionCode.FILE_MISSING.meaning.what,
        "Since 2026-01-01 12:00 UTC, the last at 2026-01-01 14:00 UTC.",
        ConditionCode.FILE_MISSING.meaning.to_do,
        "https://cellar.example/console/",
    ]


def test_refusals_say_their_codes() -> None:
    assert counts_text([("TRUNCATED", 1200), ("NOT_BASE64", 1)]) == "TRUNCATED 1,200, NOT_BASE64 1."


def test_letter_speaks_hebrew_where_it_is_asked_to() -> None:
    why = Sentence.file_unreadable(reason="EIO")
    failed = opened(Sighting(NoticeKind.ARCHIVES_FAILED, "STORE_UNREADABLE", 2, NOON, LATER, why), "n")

    assert said(failed, language="he")[:3] == [
        "cellar: שני תיקים נכשלו (STORE_UNREADABLE)",
        "אי אפשר לקרוא קובץ: EIO",
        "מאז 2026-01-01 12:00 UTC, האחרון ב-2026-01-01 14:00 UTC.",
    ]


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("word", Word)
@pytest.mark.parametrize("count", [1, 1_000_000])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_fits_on_a_phone(kind: NoticeKind, word: Word, count: int, language: Language) -> None:
    title, *lines = said(notice(kind, "endpoint-or-cause-of-a-long-name", count, "word " * 100), word, language)

    assert len(title) <= 90
    assert sum(map(len, lines)) <= (700 if kind is NoticeKind.PROCESSES_MISSING else 520)
    assert title.startswith("cellar: ")


def test_trial_says_that_nothing_is_to_be_done() -> None:
    assert trial_text(NOON).text == "A test of 2026-01-01 12:00 UTC. cellar reaches you here. Nothing to do."
