"""The words of the pages of an export in other languages. Text of a payload is never translated."""

from collections.abc import Callable, Mapping
from typing import Literal

from domain.pages.hebrew import HEBREW

Language = Literal["en", "he"]
Say = Callable[[str], str]
"""Returns a text of ours in a language; a text without translation stays English."""

LANGUAGES: tuple[Language, ...] = ("en", "he")
DIRECTIONS: Mapping[Language, str] = {"en": "ltr", "he": "rtl"}


def said(language: Language) -> Say:
    """Return the function that words our texts in a language. Pure."""
    words = HEBREW if language == "he" else {}
    return lambda text: words.get(text, text)
