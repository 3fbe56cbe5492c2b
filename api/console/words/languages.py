"""The language of a page, and its texts by gettext. `make console-texts` brings the Hebrew up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from domain.pages.languages import DIRECTIONS, LANGUAGES, Language, judgement, said

_TEXTS = Path(__file__).with_name("texts")
_language: ContextVar[Language] = ContextVar("language", default="en")


def chosen_language(cookie: str | None, accepted: str) -> Language:
    """Return the language of a person: their choice, else the first of ours that their browser accepts. Pure."""
    wanted = [cookie or "", *(each.partition(";")[0].strip().lower()[:2] for each in accepted.split(","))]
    wanted = ["he" if each == "iw" else each for each in wanted]  # an old code of Hebrew, which some systems still use
    return next((language for each in wanted for language in LANGUAGES if language == each), "en")


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Word all texts of the block in a language."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def language() -> Language:
    return _language.get()


def direction() -> str:
    return DIRECTIONS[language()]


def gettext(text: str) -> str:
    return _translations(language()).gettext(text)


def ngettext(one: str, many: str, number: int) -> str:
    return _translations(language()).ngettext(one, many, number)


_ = gettext


def N_(text: str) -> str:  # noqa: N802 -- gettext's own name for a text that is worded later
    """Mark a text for translation where it is written, and word it later."""
    return text


def worded(text: str) -> str:
    """Return a text of ours that is not written in the console: also looks where exports have their Hebrew."""
    own = gettext(text) if text else text
    return own if own != text else judgement(text, said(language()))


def is_in_both_languages(text: str) -> bool:
    """Return whether the console has the Hebrew of an English text."""
    return _translations("he").gettext(text) != text


@cache
def _translations(language: Language) -> NullTranslations:
    path = _TEXTS / language / "LC_MESSAGES" / "console.mo"
    if not path.exists():  # English stands in the code
        return NullTranslations()
    with path.open("rb") as file:
        return GNUTranslations(file)
