"""The language of a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from adapters.words.languages import texts
from domain.words.wording import DIRECTIONS, LANGUAGES, Language

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
    return texts(language()).gettext(text)


def ngettext(one: str, many: str, number: int) -> str:
    return texts(language()).ngettext(one, many, number)


def worded(text: str) -> str:
    """Return a text of ours that is not written in the console."""
    return gettext(text) if text else text


def is_in_both_languages(text: str) -> bool:
    """Return whether the console has the Hebrew of an English text."""
    return texts("he").gettext(text) != text
