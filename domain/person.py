"""By what a person is found: mail addresses, phone numbers and identity numbers, each in one form for all its
spellings; and where these stand in a request. Pure.

A number counts as a whole alone: what merely contains its digits, such as a longer number, a date or an id, is another.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from domain.body.json_text import JsonFault, Repeating, parse_with_repeats
from domain.search import ALL, facet
from domain.secrets.cards import without_card_numbers
from models.search import MOST_FACETS, Kind
from models.views.person import PersonPlace, Stands

_INVISIBLE = [0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A)]
_AS_TYPED = dict.fromkeys(_INVISIBLE) | dict.fromkeys([0x5BE, *range(0x2010, 0x2016), 0x2212], "-")
_NAMES_SOMEBODY = re.compile(r"[\d@\uff20]")
_DELIMITERS = r"\s<>(),;:/=|\"'\[\]{}"
_MAIL = re.compile(rf"(?<![^{_DELIMITERS}])[^@{_DELIMITERS}]+@[^@{_DELIMITERS}]+\.\w+")
_MOMENT = re.compile(
    r"(?<![\w.:/-])(?:\d{4}-\d\d-\d\d(?:t[\d:.]+)?|\d{1,2}([./-])\d{1,2}\1\d{2,4}|\d{1,2}:\d\d(?::\d\d)?)(?![\w:/-])"
)
_NUMBER = re.compile(r"(?<![\w.@+*-])\+?\(?[0-9](?:[ ().-]*[0-9]){4,}(?![\w@+*]|[.-][\w@])")
_IDENTITY = re.compile(r"0*[0-9]{1,8}-?[0-9]")
_HOME = "972"
_LEAST_DIGITS, _MOST_DIGITS = 5, 15
_APART = 7
"""A part of this many digits that a space ends is a number of its own, unless a shorter part stands beside it."""
_LONGEST_SHOWN = 200
_OF_MACHINES = frozenset(
    [
        *("id", "reference", "process_id", "process_number", "transaction_number", "session_id", "transaction_id"),
        *("amount", "total", "top", "left", "width", "height", "page", "content", "timestamp", "accuracy"),
        *("firstPayment", "periodicalPayment", "internal_transaction_id", "card_id", "cguid", "session_cd"),
    ]
)
"""Members whose numbers are those of Cellosign and of providers, unless they stand in a member of a person."""
_OF_PEOPLE = frozenset(["recipient", "signed_by", "labels", "value", "meta"])
_STANDS = {
    **{"data": Stands.FIELD, "recipient": Stands.RECIPIENT, "signatures": Stands.SIGNER, "payments": Stands.PAYMENT},
    **dict.fromkeys(["sessions", "session", "client"], Stands.SESSION),
    **dict.fromkeys(["invitations", "otp_destination"], Stands.INVITATION),
    **dict.fromkeys(["attachments", "signed_document"], Stands.FILE),
    "labels": Stands.LABEL,
}
"""What a value stands in, by the innermost of these members."""
_Path = tuple[str | int, ...]


def identifiers(text: str) -> frozenset[str]:
    """Return the mail addresses, phone numbers and identity numbers in a text, each in its one form.

    A mail address is in lower case. A phone number begins with `+` and its country, Israel where it names none. An
    identity number begins with `#` and has no leading zeros. A number that may be either has both forms.
    """
    if not _NAMES_SOMEBODY.search(text):
        return frozenset()
    folded = " ".join(unicodedata.normalize("NFKC", text).translate(_AS_TYPED).casefold().split())
    numbers = (number for run in _NUMBER.findall(_MOMENT.sub(" ; ", folded)) for number in _numbers_in(run))
    return frozenset([*_MAIL.findall(folded), *(form for number in numbers for form in _forms(number))])


def _numbers_in(run: str) -> list[str]:
    parts = run.split()
    return parts if all(len(_digits(each)) >= _APART for each in parts) else [run]


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text)


def _forms(number: str) -> Iterator[str]:
    digits = _digits(number)
    if not _LEAST_DIGITS <= len(digits) <= _MOST_DIGITS:
        return
    if phone := _phone(number, digits):
        yield f"+{phone}"
    significant = digits.lstrip("0")
    is_short = len(digits) <= 9 or digits.startswith("00")
    if is_short and len(significant) >= _LEAST_DIGITS and _IDENTITY.fullmatch(number):
        yield f"#{significant}"


def _phone(number: str, digits: str) -> str | None:
    """Return a phone number with its country and without signs, None if a number is none."""
    if number.startswith("+"):
        whole = digits
    elif digits.startswith("00"):
        whole = digits[2:]
    elif digits.startswith("0"):
        return f"{_HOME}{digits[1:]}" if len(digits) in (9, 10) else None
    elif digits == number or digits.startswith(_HOME):
        whole = digits if len(digits) > 9 else ""
    else:
        return None
    if whole.startswith(f"{_HOME}0"):  # +972 (0)50 …
        whole = _HOME + whole[len(_HOME) + 1 :]
    return whole if len(whole) >= 8 else None


def person_facets(skeleton: bytes) -> frozenset[int]:
    """Return the facets of all by which a skeleton names people. With more than 2,000, or damaged, it has the one facet
    of archives that are looked into for every person.
    """
    try:
        found = {each for _, text in _texts(parse_with_repeats(skeleton), ()) for each in identifiers(text)}
    except JsonFault:
        found = {ALL}
    return frozenset(facet(Kind.PERSON, each) for each in (found if len(found) <= MOST_FACETS else [ALL]))


def facets_of(wanted: Iterable[str]) -> tuple[int, ...]:
    """Return the facets of which an archive that names a person has one."""
    return tuple(facet(Kind.PERSON, each) for each in [ALL, *sorted(wanted)])


def places_in(document: Any, wanted: frozenset[str], version: int | None = None) -> list[PersonPlace]:
    """Return where in a request a person is named, in its order."""
    return [
        _place(document, path, text, version)
        for path, text in _texts(document, ())
        if not wanted.isdisjoint(identifiers(text))
    ]


def _texts(value: Any, path: _Path) -> Iterator[tuple[_Path, str]]:
    """Yield the texts and whole numbers of a request that may name a person, with their paths. Values that a repeated
    key hides are among them.
    """
    if isinstance(value, dict):
        hidden = value.earlier if isinstance(value, Repeating) else []
        for key, each in [*hidden, *value.items()]:
            if key not in _OF_MACHINES or not _OF_PEOPLE.isdisjoint(path):
                yield from _texts(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, (*path, number))
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield path, str(value)


def _place(document: Any, path: _Path, text: str, version: int | None) -> PersonPlace:
    names = [each for each in path if isinstance(each, str)]
    stands = next((_STANDS[each] for each in reversed(names) if each in _STANDS), Stands.ELSEWHERE)
    try:
        name = str(document["data"][path[1]]["id"]) if stands is Stands.FIELD else names[-1]
    except (LookupError, TypeError):  # a field without an id, or one that a repeated key hides
        name = names[-1]
    where = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).lstrip(".")
    value = str(without_card_numbers(text))[:_LONGEST_SHOWN]
    return PersonPlace(stands=stands, name=name, where=where, value=value, version=version)
