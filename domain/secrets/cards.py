"""Finds card numbers, masks them up to their last four digits, and reads expiry dates.

A card number has 13 to 19 digits, an issuer's prefix and the check digit of Luhn. It is written unbroken, in groups as
on cards (of four, or as on cards of 14 and 15 digits), digit by digit or pair by pair. Luhn alone accepts one number in
ten, such as times in milliseconds. If any grouping counted, account numbers and adjacent numbers would pass too.
Isracard's own numbers of 8 and 9 digits look like other numbers, and do not count as card numbers.

Source: ISO/IEC 7812; the prefixes that the issuers publish.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate, islice, pairwise
from typing import Any

_FEWEST_DIGITS, _MOST_DIGITS = 13, 19
# Blanks, marks of direction, hyphens and dashes.
_BETWEEN = r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u2010-\u2015\u2212-]{0,3}+"
_LOOKS_LIKE_ONE = re.compile(rf"\d(?:{_BETWEEN}\d){{8,14}}(?=(?:{_BETWEEN}\d){{4}}(?!\d))")
_PREFIX = re.compile(
    r"4"  # Visa
    r"|5[0-8]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"  # Mastercard, Maestro
    r"|3[46-9]|30[0-5]"  # American Express, Diners Club
    r"|352[89]|35[3-8]"  # JCB
    r"|62|6011|65|64[4-9]"  # UnionPay, Discover
    r"|6304|639|67(?:59|6[1-3])"  # Maestro
    r"|220[0-4]"  # Mir
)
_RUN = re.compile(rf"(?<!\d)\d{{1,19}}+(?!\d)(?:(?:[./]|{_BETWEEN})\d{{1,19}}+(?!\d))*+")
_GROUP = re.compile(r"\d+")
_LONG = re.compile(rf"\d(?:(?:[./]|{_BETWEEN})\d){{12}}")
_FOURS = {(4, 4, 4, 4), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3)}
_GROUPED = _FOURS | {(4, 6, 5), (4, 6, 4), (8, 8), (4, 12), (12, 4), (4, 4, 8), (4, 8, 4), (8, 4, 4)}
"""The sizes of the groups on cards, also with a blank left out."""
_PAIR, _MOST_IN_FOURS = 2, 5
_DOTS = frozenset("./")
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\Z")
"""The head of an IBAN, if two digits follow."""
_MOST_GROUPS = 1000
"""A run of more groups of digits counts as a card number, because examining each group costs time and memory."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_LAST_FOUR = re.compile(r"[0-9]{4}\Z")
_EXPIRY = re.compile(r"(0[1-9]|1[0-2])/?([0-9]{2})")


def masked(text: str) -> str:
    """Return `text` with asterisks for all but the last four of each run of 13 to 19 digits. Pure.

    A provider's mask stays as it is, and so does an id with letters in it.
    """
    return _LOOKS_LIKE_ONE.sub(lambda number: re.sub(r"\d", "*", number[0]), text)


def has_card_number(text: str) -> bool:
    """Return whether `text` contains a card number, even with blanks or hyphens between its digits. Pure."""
    return next(_card_numbers(text), None) is not None


def without_card_numbers(value: Any) -> Any:
    """Return a JSON value with its card numbers masked, in keys too. Other values stay as they are. Pure."""
    match value:
        case str():
            return _without_numbers(value)
        case dict():
            return {_without_numbers(key): without_card_numbers(each) for key, each in value.items()}
        case list():
            return [without_card_numbers(each) for each in value]
        case bool() | None:
            return value
        case _:
            text = number_text(Decimal(str(value)))
            return _without_numbers(text) if has_card_number(text) else value


def number_text(number: Decimal) -> str:
    """Return a number as text. A whole number of at most a card number's length has all its digits."""
    is_short = number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS
    return str(int(number)) if is_short and number == int(number) else str(number)


def last_four(text: str | None) -> str | None:
    """Return the last four digits of a card number, masked or not, or None if it does not end in four digits."""
    found = _LAST_FOUR.search((text or "").strip())
    return found[0] if found else None


def expiry_month(text: str | None) -> date | None:
    """Return the first day of the month in `MMYY` or `MM/YY`, or None for any other text.

    Source: Credit Guard's `cardExpiration`. Cards are valid for a few years, so the century is the 21st.
    """
    found = _EXPIRY.fullmatch((text or "").strip())
    return date(2000 + int(found[2]), int(found[1]), 1) if found else None


def _without_numbers(text: str) -> str:
    parts, position = [], 0
    for begin, end in _merged(_card_numbers(text)):
        parts += [text[position:begin], _starred(text[begin:end])]
        position = end
    return "".join([*parts, text[position:]])


def _starred(number: str) -> str:
    digits = [place.start() for place in re.finditer(r"\d", number)]
    shown_from = digits[-4]
    return re.sub(r"\d", "*", number[:shown_from]) + number[shown_from:]


def _merged(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in spans:
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Return where card numbers begin and end, in the order of their beginnings. They may overlap."""
    if not _LONG.search(text):
        return
    for run in _RUN.finditer(text):
        yield from _in_run(text, *run.span())


def _in_run(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Return the card numbers in a run of groups of digits. A card number is one group or several."""
    groups = [group.span() for group in islice(_GROUP.finditer(text, begin, end), _MOST_GROUPS + 1)]
    if len(groups) > _MOST_GROUPS:
        yield begin, end
        return
    digits = "".join(str(int(digit)) for first, last in groups for digit in text[first:last])
    sizes = [last - first for first, last in groups]
    between = [text[last:first] for (_, last), (first, _) in pairwise(groups)]
    starts, sums, stretches = [0, *accumulate(sizes)], _sums(digits), _stretches(sizes, between)
    for index, (first, _) in enumerate(groups):
        start = starts[index]
        if not _PREFIX.match(digits, start) or _is_continued(text, groups, index):
            continue
        for later in _ends(sizes, between, index, stretches[index]):
            stop = starts[later]
            is_long = _FEWEST_DIGITS <= stop - start <= _MOST_DIGITS
            if is_long and (sums[stop % 2][stop] - sums[stop % 2][start]) % 10 == 0:
                yield first, groups[later - 1][1]


def _ends(sizes: Sequence[int], between: Sequence[str], index: int, stretch: int) -> Iterator[int]:
    """Return the groups behind which a card number can end, if it begins with the group at `index`. Dots and slashes
    may only separate groups of four, because dates and versions contain them too.
    """
    if sizes[index] >= _FEWEST_DIGITS:
        yield index + 1
    elif sizes[index] <= _PAIR:
        yield from range(index + 2, min(index + _MOST_DIGITS, stretch) + 1)
    else:
        for later in range(index + 2, min(index + _MOST_IN_FOURS, len(sizes)) + 1):
            grouped = tuple(sizes[index:later])
            if grouped in _FOURS or (grouped in _GROUPED and _DOTS.isdisjoint(between[index : later - 1])):
                yield later


def _stretches(sizes: Sequence[int], between: Sequence[str]) -> list[int]:
    """Return, for each group, the end of the evenly spaced single digits or pairs that begin with it. The last pair may
    be a single digit.
    """
    ends = list(range(1, len(sizes) + 1))
    for index in range(len(sizes) - 2, -1, -1):
        size, following = sizes[index], sizes[index + 1]
        if size > _PAIR or between[index] in _DOTS or following > size:
            continue
        is_even = ends[index + 1] > index + 2 and between[index] == between[index + 1]
        ends[index] = ends[index + 1] if following == size and is_even else index + 2
    return ends


def _is_continued(text: str, groups: Sequence[tuple[int, int]], index: int) -> bool:
    """Return whether a group follows a decimal point, as in coordinates, or the head of an IBAN."""
    if not index:
        return False
    before, end = groups[index - 1]
    is_head = end - before == _PAIR and _ACCOUNT.search(text, max(0, before - 3), before) is not None
    return is_head or text[end : groups[index][0]] == "."


def _sums(digits: str) -> tuple[list[int], list[int]]:
    """Return Luhn's sums up to each digit, for numbers that end after an even and after an odd count of digits."""
    plain = [int(digit) for digit in digits]
    even = [digit if place % 2 else _DOUBLED[digit] for place, digit in enumerate(plain)]
    odd = [_DOUBLED[digit] if place % 2 else digit for place, digit in enumerate(plain)]
    return [0, *accumulate(even)], [0, *accumulate(odd)]
