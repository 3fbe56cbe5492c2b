"""Learns what a template is from its newest archives: its usual file name, its fields and its labels. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.personal import CHOSEN_TYPES, FIXED_TYPES, is_part_personal
from domain.search import normalised, short
from models.templates import PartId, PartWords, TemplateName, TemplateWords
from models.views.templates import PartView

_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_MAIL = re.compile(r"\S+@\S+")
_BETWEEN = re.compile(r"[\s_.,;()\[\]{}\-–—+]+")
_MOST_NAME, _MOST_CHOICES, _MOST_VALUES = 100, 20, 50
_SHARED_BY = 3
"""So many processes of strangers share a name that names nobody."""
_PERSONAL_TYPES = frozenset({"location", "geolocation", "signature", "initials", "email", "phone"})
_PERSONAL = re.compile(
    r"(?<![^@\s])[^@\s]+@[^@\s]+\.\w+"  # a mail address, looked for once in a word, however long it is
    r"|\+?\(?\d[\d\s().\-]{7,16}\d"  # a phone number, also an identity number
    r"|-?\d{1,3}\.\d{3,},\s*-?\d{1,3}\.\d{3,}"  # coordinates
)


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
class Seen:
    """What was seen of a field or a label. `people` are the recipients of the archives in which it has a value."""

    types: Counter[str] = field(default_factory=Counter)
    filled_in: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    values: Counter[str] = field(default_factory=Counter)
    is_varied: bool = False

    @property
    def type(self) -> str | None:
        """The type that it is declared as most often."""
        return self.types.most_common(1)[0][0] or None

    @property
    def looks_personal(self) -> bool:
        """Whether its type or most of its values are of people, so that nobody makes it a facet by mistake."""
        alike = sum(number for text, number in self.values.items() if _PERSONAL.fullmatch(text))
        return (self.type or "").lower() in _PERSONAL_TYPES or alike * 2 > self.values.total()

    @property
    def is_chosen(self) -> bool:
        """Whether it is declared as a choice, and takes a few values of which each is that of three people on average:
        what everybody types anew is no choice, whatever it is declared as.
        """
        is_declared = bool(self.types) and {each.lower() for each in self.types} <= FIXED_TYPES
        few = len(self.values) <= _MOST_CHOICES and not self.is_varied
        return is_declared and few and 0 < _SHARED_BY * len(self.values) <= len(self.people)


def seen_parts(
    found: Iterable[tuple[str, PartId, str | None, Any]], people: Mapping[str, Iterable[str]]
) -> dict[PartId, Seen]:
    """Return what was seen of the fields and labels of a template, in the order in which they were found.

    Args:
        found: reference, part, type and value of each field and label of some archives.
        people: the names of the recipients of these archives.
    """
    seen: dict[PartId, Seen] = {}
    for reference, part, type_, value in found:
        its = seen.setdefault(part, Seen())
        its.types[type_ or ""] += 1
        if value not in ([], {}) and (text := short(value)):
            its.filled_in.add(reference)
            its.people.add(" ".join(sorted(map(normalised, people.get(reference, ())))))
            if text in its.values or len(its.values) < _MOST_VALUES:
                its.values[text] += 1
            else:
                its.is_varied = True
    return seen


def chosen_among(seen: Mapping[PartId, Seen]) -> frozenset[PartId]:
    """Return the parts whose values are chosen from a few."""
    return frozenset(part for part, its in seen.items() if its.is_chosen)


def looking_personal(seen: Mapping[PartId, Seen], words: TemplateWords) -> frozenset[PartId]:
    """Return the parts that are personal as people say; where nobody says it of the part, as it looks."""
    said = {part: words.parts.get(part, PartWords()).personal for part in seen}
    return frozenset(part for part, its in seen.items() if (its.looks_personal if said[part] is None else said[part]))


def learned_parts(seen: Mapping[PartId, Seen], archives: int, words: TemplateWords) -> list[PartView]:
    """Return the fields and labels of a template. `archives`: in how many these were seen."""
    hidden, chosen = looking_personal(seen, words), chosen_among(seen)
    return [
        PartView(
            part=part,
            name=words.parts.get(part, PartWords()).name,
            type=its.type,
            filled=round(len(its.filled_in) / archives, 3),
            choices=[] if part in hidden else _choices(its),
            personal=is_part_personal(words, part, None, its.type, chosen),
        )
        for part, its in seen.items()
    ]


def _choices(seen: Seen) -> list[str]:
    """Return the values of a part that takes few: by its type, or since each occurs four times on average."""
    few = len(seen.values) <= _MOST_CHOICES and not seen.is_varied
    is_chosen = (seen.type or "").lower() in CHOSEN_TYPES or seen.values.total() >= 4 * len(seen.values)
    return sorted(seen.values) if few and is_chosen else []
