"""The words of the pages of an export in other languages. Text of a payload is never translated."""

from collections.abc import Callable

from domain.pages.hebrew import HEBREW
from domain.words.wording import Language

Say = Callable[[str], str]
"""Returns a text of ours in a language; a text without translation stays English."""


def said(language: Language) -> Say:
    """Return the function that words our texts in a language. Pure."""
    words = HEBREW if language == "he" else {}
    return lambda text: words.get(text, text)


def judgement(text: str, say: Say) -> str:
    """Return a judgement that our texts make up: an answer and its reason, or several answers with commas. Pure."""
    return ": ".join(_said_in_parts(each, say) for each in _parts_of(text, say))


def _parts_of(text: str, say: Say) -> list[str]:
    """Return an answer and its reason, unless the language has words for both together."""
    return [text] if say(text) != text else text.split(": ", 1)


def _said_in_parts(text: str, say: Say) -> str:
    return say(text) if say(text) != text else ", ".join(map(say, text.split(", ")))
