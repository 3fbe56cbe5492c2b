"""Words what cellar says in a language."""

from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from domain.words.catalogue import word
from domain.words.wording import ENGLISH, Language
from models.said import Said

_TEXTS = Path(__file__).with_name("texts")


def worded(said: Said, language: Language = "en") -> str:
    """Return what is said as plain text."""
    return word(said, texts(language))


@cache
def texts(language: Language) -> NullTranslations:
    """Return the texts of a language. A text without its Hebrew would stay English."""
    if language == "en":
        return ENGLISH
    with (_TEXTS / language / "LC_MESSAGES" / "cellar.mo").open("rb") as file:
        return GNUTranslations(file)
