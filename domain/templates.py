"""Learns what a template is from its newest archives: its usual file name, its fields and its labels. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.masking import PERSONAL, PERSONAL_TYPES
from domain.search import normalised, short
from models.templates import PartId, PartWords, TemplateName
from models.views.templates import PartView

_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_MAIL = re.compile(r"\S+@\S+")
_BETWEEN = re.compile(r"[\s_.,;()\[\]{}\-–—+]+")
_MOST_NAME, _MOST_CHOICES, _MOST_VALUES = 100, 20, 50
_SHARED_BY = 3
"""So many processes of strangers share a name that names nobody."""
_CHOSEN_TYPES = frozenset({"select", "radio", "dropdown", "list", "checkbox", "combo"})


@dataclass(frozen=True, slots=True)
class SignedFile:
    """The name of a signed document, the recipients of its archive, and other people that the archive names."""

    filename: str
    people: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def learned_name(files: Sequence[SignedFile]) -> TemplateName:
    """Return what most of some signed documents are called: the words that more than half of them share.

    Endings, mail addresses, words with digits, names of people, and characters that do not show are left out.
    """
    called = [_words_of(each) for each in files]
    counts = Counter(word for words in called for word in set(words))
    shared = {word for word, number in counts.items() if number * 2 > len(files)}
    whole = [words for words in called if shared and shared <= set(words)]
    text = " ".join(dict.fromkeys(each for each in whole[0] if each in shared))[:_MOST_NAME] if whole else None
    sharing = (each.people for each, words in zip(files, called, strict=True) if shared <= set(words))
    language = "he" if any("\u0590" <= each <= "\u05ff" for each in text or "") else "en"
    return TemplateName.model_validate({language: text, "is_public": text is not None and _are_strangers(sharing)})


def usual_file(files: Iterable[SignedFile]) -> str | None:
    """Return the file name that most signed documents have."""
    counted = Counter(short(each.filename) for each in files)
    return counted.most_common(1)[0][0] if counted else None


def _words_of(file: SignedFile) -> list[str]:
    people = _words_in((*file.people, *file.others))
    shown = "".join(filter(str.isprintable, short(file.filename)))
    words = _BETWEEN.split(_MAIL.sub(" ", _ENDING.sub("", shown)))
    return [each for each in words if each and not re.search(r"\d", each) and normalised(each) not in people]


def _words_in(names: Iterable[str]) -> set[str]:
    return {normalised(word) for each in names for word in _BETWEEN.split(each)} - {""}


def _are_strangers(groups: Iterable[tuple[str, ...]]) -> bool:
    """Return whether some groups of people have not even a word of a name in common. One person may be spelled in
    several ways, and sign with several others.
    """
    strangers, known = 0, set[str]()
    for words in map(_words_in, groups):
        if words and known.isdisjoint(words):
            strangers, known = strangers + 1, known | words
    return strangers >= _SHARED_BY


@dataclass(slots=True)
class _Seen:
    """What was seen of a field or a label."""

    types: Counter[str] = field(default_factory=Counter)
    filled_in: set[str] = field(default_factory=set)
    values: Counter[str] = field(default_factory=Counter)
    is_varied: bool = False


def learned_parts(
    found: Iterable[tuple[str, PartId, str | None, Any]], archives: int, words: Mapping[PartId, PartWords]
) -> list[PartView]:
    """Return the fields and labels of a template, in the order in which they were found.

    Args:
        found: reference, part, type and value of each field and label of some archives.
        archives: the number of these archives.
        words: what people say about parts.
    """
    seen: dict[PartId, _Seen] = {}
    for reference, part, type_, value in found:
        its = seen.setdefault(part, _Seen())
        its.types[type_ or ""] += 1
        if value not in ([], {}) and (text := short(value)):
            its.filled_in.add(reference)
            if text in its.values or len(its.values) < _MOST_VALUES:
                its.values[text] += 1
            else:
                its.is_varied = True
    return [_part(part, its, archives, words.get(part, PartWords())) for part, its in seen.items()]


def _part(part: PartId, seen: _Seen, archives: int, words: PartWords) -> PartView:
    type_ = seen.types.most_common(1)[0][0] or None
    is_personal = words.personal if words.personal is not None else _looks_personal(type_, seen.values)
    return PartView(
        part=part,
        name=words.name,
        type=type_,
        filled=round(len(seen.filled_in) / archives, 3),
        choices=[] if is_personal else _choices(type_, seen),
        personal=is_personal,
    )


def _looks_personal(type_: str | None, values: Counter[str]) -> bool:
    alike = sum(number for text, number in values.items() if PERSONAL.fullmatch(text))
    return (type_ or "").lower() in PERSONAL_TYPES or alike * 2 > values.total()


def _choices(type_: str | None, seen: _Seen) -> list[str]:
    """Return the values of a part that takes few: by its type, or since each occurs four times on average."""
    few = len(seen.values) <= _MOST_CHOICES and not seen.is_varied
    is_chosen = (type_ or "").lower() in _CHOSEN_TYPES or seen.values.total() >= 4 * len(seen.values)
    return sorted(seen.values) if few and is_chosen else []
