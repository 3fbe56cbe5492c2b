"""Sentences of the services are worded by their form; what has no words stays English, and is marked as English."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.words import languages
from api.console.words.sentences import forms, messages


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


def test_what_has_no_words_is_marked_as_english() -> None:
    assert str(forms.told("a brand-new sentence")) == '<bdi lang="en" dir="ltr">a brand-new sentence</bdi>'
    assert str(forms.told("דנה wrote this")) == "<bdi>דנה wrote this</bdi>"
    with languages.speaking("en"):
        assert str(forms.told("a brand-new sentence")) == "<bdi>a brand-new sentence</bdi>"


@given(st.text())
def test_sentence_of_any_text_is_shown_as_text(text: str) -> None:
    shown = str(messages.message_text(f"the endpoint is disabled: {text}"))

    inner = shown[shown.index(">") + 1 : -len("</bdi>")]
    assert "<" not in inner
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\0") & set(inner)
