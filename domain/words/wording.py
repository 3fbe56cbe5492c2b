"""The languages, and what a code means in each."""

from collections.abc import Mapping
from dataclasses import replace
from gettext import NullTranslations
from typing import Literal

from models.said import Meaning

Language = Literal["en", "he"]

LANGUAGES: tuple[Language, ...] = ("en", "he")
DIRECTIONS: Mapping[Language, str] = {"en": "ltr", "he": "rtl"}
ENGLISH = NullTranslations()
"""The texts of a language that stand in the code."""


def N_(text: str) -> str:  # noqa: N802 -- gettext's own name for a text that is worded later
    """Mark a text for translation where it is written, and word it later."""
    return text


def meant(meanings: Mapping[str, Meaning], code: str | None, texts: NullTranslations = ENGLISH) -> Meaning | None:
    """Return the meaning of a code in a language, None if the code has no words here."""
    known = meanings.get(code or "")
    return known and translated(known, texts)


def translated(meaning: Meaning, texts: NullTranslations) -> Meaning:
    """Return a meaning in a language."""
    what, to_do = (each and texts.gettext(each) for each in (meaning.what, meaning.to_do))
    return replace(meaning, what=what, to_do=to_do)
