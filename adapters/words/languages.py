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
    """Yield the texts of the catalogue, and what columns of tables mean, as Babel takes them. It has no options."""
    from domain.tables.catalogue import ENTRY, SOURCES, UNFIT, columns_of  # noqa: PLC0415 -- no program needs it

    columns = (*UNFIT, *ENTRY, *(each for table in SOURCES for each in columns_of(table)))
    yield from ((1, "", each, []) for each in (*every_text(), *(each.description for each in columns)))


@cache
def texts(language: Language) -> NullTranslations:
    """Return the texts of a language. A text without its Hebrew would stay English."""
    if language == "en":
        return ENGLISH
    with (_TEXTS / language / "LC_MESSAGES" / "cellar.mo").open("rb") as file:
        return GNUTranslations(file)
