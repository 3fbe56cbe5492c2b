"""What the services say, as a part of a page in its language."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from adapters.words.languages import texts
from api.console.words.languages import gettext, language
from api.console.words.values import NO_VALUE, isolated, plain
from domain.words.catalogue import word
from models.said import Said, said_of
from models.views.archives.archives import TimelineEntry
from models.views.health import Check


def told(said: Said | Mapping[str, Any] | None, text: str | None = None) -> Markup:
    """Return what is said, each of its values isolated; `text`, in English, where an earlier build kept nothing else.

    A text that no language changes is marked as English.
    """
    if said is None:
        said = Said("kept_before", {"text": text}) if text else None
    elif not isinstance(said, Said):
        said = said_of(said)
    if said is None or said.code == "text":
        return english(str(said.values["text"]) if said else "")
    if said.code == "kept_before" and gettext(said.values["text"]) == said.values["text"]:
        return english(said.values["text"])
    return Markup("<bdi>{}</bdi>").format(word(said, texts(language()), lambda value: isolated(plain(value))))


def happened(entry: TimelineEntry) -> Markup:
    """Return what an entry of a timeline says."""
    return told(Said(entry.code, entry.values))


def part_found(check: Check) -> Markup:
    """Return what a check of a part has found."""
    return told(Said(check.code, check.values))


def english(text: str) -> Markup:
    """Return an English text with its own direction. A text with right-to-left letters is not marked as English."""
    if not text:
        return NO_VALUE
    if any(unicodedata.bidirectional(each) in ("R", "AL") for each in text):
        return Markup("<bdi>{}</bdi>").format(plain(text))
    return Markup('<bdi lang="en" dir="ltr">{}</bdi>').format(plain(text))
