"""Forms of sentences that the services word in English, for programs too, each with its words here."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from markupsafe import Markup

from api.console.words.languages import gettext, language, worded
from api.console.words.values import NO_VALUE, isolated, plain

Forms = Sequence[tuple[re.Pattern[str], str]]
"""Patterns of whole sentences, each with a text that is marked for translation. Its values are the pattern's groups."""


def forms(*known: tuple[str, str]) -> Forms:
    return tuple((re.compile(pattern, re.DOTALL), text) for pattern, text in known)


def in_words(sentence: str, known: Forms, value: Callable[[str, str], str] = lambda _name, text: text) -> str | None:
    """Return a sentence in the language of the page, None if it has none of the known forms.

    `value` words a value of the sentence, from its name and its text.
    """
    for pattern, text in known:
        if found := pattern.fullmatch(sentence):
            return gettext(text) % {name: value(name, each or "") for name, each in found.groupdict().items()}
    return None


def told(
    sentence: str | None, known: Forms = (), value: Callable[[str, str], str] = lambda _name, text: text
) -> Markup:
    """Return a sentence of the services for a page: in words of the page, or else as it is, marked as English."""
    if not sentence:
        return NO_VALUE
    safe = plain(sentence)
    words = in_words(safe, known, lambda name, text: isolated(value(name, text))) or worded(safe)
    return english(safe) if words == safe and language() != "en" else Markup("<bdi>{}</bdi>").format(words)


def english(text: str) -> Markup:
    """Return an English text with its own direction. A text with right-to-left letters is not marked as English."""
    if any(unicodedata.bidirectional(each) in ("R", "AL") for each in text):
        return Markup("<bdi>{}</bdi>").format(plain(text))
    return Markup('<bdi lang="en" dir="ltr">{}</bdi>').format(plain(text))
