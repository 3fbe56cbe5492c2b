"""Says where a search found an archive: in which of its values, with the words marked. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from domain.search import MOST_VALUE, Placed, Term, normalised, searched_text

_MOST_MATCHES = 3
_BEFORE, _SHOWN = 20, 70
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Match:
    """A value in which a search stands. `place` and `name` are those of `Placed`. `parts` are the text around the
    words, in pieces: each says whether it is one of the words.
    """

    place: str
    name: str
    parts: tuple[tuple[str, bool], ...]


def matches(terms: Sequence[Term], placed: Iterable[Placed]) -> tuple[Match, ...]:
    """Return the first value that has each term, three values at most."""
    left, found = set(terms), list[Match]()
    for each in placed:
        text = str(each.value)[:MOST_VALUE]
        searched = searched_text([text])
        if its := {term for term in left if term.pattern in searched}:
            found.append(Match(each.place, each.name, _parts(text, _spans(text, terms))))
            left -= its
        if not left or len(found) == _MOST_MATCHES:
            break
    return tuple(found)


def _spans(text: str, terms: Iterable[Term]) -> Iterator[tuple[int, int]]:
    """Yield where the first of each term begins and ends in a text that is not normalised."""
    folded, places = "", list[int]()
    for at, each in enumerate(text):
        signs = " " if each.isspace() else normalised(each)
        folded, places = folded + signs, [*places, *[at] * len(signs)]
    for term in terms:
        begins = r"(?<![^\W_])" if term.pattern.startswith(" ") else ""
        words = r"\s+".join(map(re.escape, term.pattern.split()))
        words = re.sub(r"(?<=\d)(?=\d)", ",?", words)  # 5400 stands in 5,400
        if found := re.search(begins + words, folded):
            end = places[found.end() - 1] + 1
            while end < len(text) and not (text[end].isspace() or normalised(text[end])):
                end += 1  # vowel points belong to their letter
            yield places[found.start()], end


def _parts(text: str, spans: Iterable[tuple[int, int]]) -> tuple[tuple[str, bool], ...]:
    """Cut a text around its spans."""
    ordered = sorted(spans)
    start = max(0, ordered[0][0] - _BEFORE) if ordered else 0
    stop = start + _SHOWN
    parts, at = [(_CUT if start else "", False)], start
    for begin, end in ordered:
        if at <= begin < stop:
            parts += [(text[at:begin], False), (text[begin:end], True)]
            at = end
    parts += [(text[at:stop], False), (_CUT if max(at, stop) < len(text) else "", False)]
    return tuple(each for each in parts if each[0])
