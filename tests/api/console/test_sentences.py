"""Sentences of the services are worded by their form; what has no words stays English, and is marked as English."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.words import languages
from api.console.words.sentences import forms, messages, verdicts
from tests.api.console.stated_codes import reasons_in


@pytest.fixture(autouse=True)
def _hebrew() -> Iterator[None]:
    with languages.speaking("he"):
        yield


def bare(text: object) -> str:
    """Return the text of a `<bdi>` without the signs that isolate its values."""
    return str(text).replace("\u2068", "").replace("\u2069", "").removeprefix("<bdi>").removesuffix("</bdi>")


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("the endpoint answered 500", "היעד החזיר קוד מצב 500"),
        ("the endpoint is disabled: the endpoint answered 410 Gone", "היעד מושבת: היעד ענה שאינו קיים עוד (410)"),
        ("the endpoint is disabled: בתחזוקה", "היעד מושבת: בתחזוקה"),
        ("nothing came within 10 s", "דבר לא הגיע בתוך 10 שניות"),
    ],
)
def test_reasons_of_messages_speak_hebrew(why: str, text: str) -> None:
    assert bare(messages.message_text(why)) == text


def test_every_reason_of_a_verdict_has_its_hebrew() -> None:
    reasons = reasons_in("adapters/documents")

    assert {"it opens with a password only", "its certificate is not trusted", "it is not valid"} <= reasons
    assert len(reasons) > 25
    assert [each for each in sorted(reasons) if verdicts.verdict_line(each) == each] == []


@pytest.mark.parametrize(
    ("judgement", "text"),
    [
        (
            "Unreadable: the signatures of the document cannot be judged, because it opens with a password only.",
            "לא קריא: אי אפשר לבדוק את חתימות המסמך, כי הוא נפתח רק בסיסמה.",
        ),
        (
            "no: its certificate does not lead to a trusted root; it is not valid",
            "לא: התעודה שלה אינה מובילה לתעודת שורש מהימנה; היא אינה תקפה",
        ),
        ("not judged: no trusted roots were configured", "לא נבדק: לא הוגדרו תעודות שורש מהימנות"),
        (
            "no, by an OCSP answer of 2026-07-01 10:00:00 UTC",
            "לא, לפי תשובת OCSP מ-2026-07-01 10:00:00 UTC",
        ),
        ("rsa-2048 sha256, strong", "rsa-2048 sha256, חזק"),
        ("yes", "כן"),
    ],
)
def test_judgements_speak_hebrew(judgement: str, text: str) -> None:
    assert bare(verdicts.verdict_text(judgement)) == text


def test_what_has_no_words_is_marked_as_english() -> None:
    assert str(forms.told("a brand-new sentence")) == '<bdi lang="en" dir="ltr">a brand-new sentence</bdi>'
    assert str(forms.told("דנה wrote this")) == "<bdi>דנה wrote this</bdi>"
    with languages.speaking("en"):
        assert str(forms.told("a brand-new sentence")) == "<bdi>a brand-new sentence</bdi>"


@given(st.sampled_from([messages.message_text, verdicts.verdict_text]), st.text())
def test_sentence_of_any_text_is_shown_as_text(word: object, text: str) -> None:
    shown = str(word(f"the endpoint is disabled: {text}"))  # type: ignore[operator]  # each takes a text

    inner = shown[shown.index(">") + 1 : -len("</bdi>")]
    assert "<" not in inner
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\0") & set(inner)
