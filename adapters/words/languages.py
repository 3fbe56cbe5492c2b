"""Words what cellar says in a language, and shows Babel what there is to word."""

from collections.abc import Iterator
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

from domain.words.catalogue import every_text, word
from domain.words.wording import ENGLISH, Language
from models.said import Said

_TEXTS = Path(__file__).with_name("texts")


def worded(said: Said, language: Language = "en") -> str:
    """Return what is said as plain text."""
    return word(said, texts(language))


def extract(*_asked: Any, options: Any = None) -> Iterator[tuple[int, str, str, list[str]]]:
    """Yield the texts of the catalogue, as Babel takes them from an extractor. It has no options."""
    yield from ((1, "", each, []) for each in every_text())


@cache
def texts(language: Language) -> NullTranslations:
    """Return the texts of a language. A text without its Hebrew would stay English."""
    if language == "en":
        return ENGLISH
    with (_TEXTS / language / "LC_MESSAGES" / "cellar.mo").open("rb") as file:
        return GNUTranslations(file)
