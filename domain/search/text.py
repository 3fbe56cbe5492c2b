"""Normalises the text that people search in, and splits what they search for into terms. Pure."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

TRIGRAM = 3
_MOST_TERMS = 16
_MOST_TRIGRAMS = 64
_MOST_VALUE = 300
_MOST_TEXT = 8_000
_BETWEEN = "  "
"""Stands before each value. A term of one character finds the values that begin with it, by the trigram of both."""
_DROPPED = ("Mn", "Cf", "Cc")  # vowel points and accents, marks of direction, control characters
_AS_TYPED = str.maketrans(
    {"״": '"', "”": '"', "“": '"', "׳": "'", "’": "'", "‘": "'"}
    | dict.fromkeys("\N{HEBREW PUNCTUATION MAQAF}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}", "-")
)
_TERM = re.compile(r'"([^"]+)"(?!\S)|(\S+)')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Term:
    """A text that an archive must contain. `pattern` is what to look for in the normalised text: a term of one or two
    characters begins a value or a word.
    """

    pattern: str

    @property
    def trigrams(self) -> tuple[str, ...]:
        """The distinct sequences of three characters in the pattern, the first 64."""
        found = (self.pattern[at : at + TRIGRAM] for at in range(len(self.pattern) - TRIGRAM + 1))
        return tuple(dict.fromkeys(found))[:_MOST_TRIGRAMS]


def normalised(text: str) -> str:
    """Return a text as it is compared: without case, vowel points, accents, marks of direction and double spaces.

    Hebrew quotation marks, the maqaf and dashes become the ASCII signs that keyboards have.
    """
    if text.isascii() and text.isprintable():  # most values; the rest takes ten times as long
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKD", text).casefold()
    spaced = "".join(" " if each.isspace() else each for each in unicodedata.normalize("NFKD", folded))
    kept = "".join(each for each in spaced if unicodedata.category(each) not in _DROPPED)
    return " ".join(unicodedata.normalize("NFC", kept).translate(_AS_TYPED).split())


def searched_text(values: Iterable[str]) -> str:
    """Return the text in which values are found: the values, normalised, and their words that follow a punctuation
    mark, so that a short term finds these too. At most 300 characters of a value and 8,000 in all.
    """
    shown = dict.fromkeys(normalised(each[:_MOST_VALUE]) for each in values)
    made = "".join(f"{_BETWEEN}{each}" for each in shown if each)
    hidden = dict.fromkeys(
        match[0] for match in _WORD.finditer(made) if match.start() and made[match.start() - 1] != " "
    )
    return "".join([made, *(f" {each}" for each in hidden)])[:_MOST_TEXT]


def terms_of(q: str) -> tuple[Term, ...]:
    """Return the terms of a search: its words, and what stands in quotation marks as a whole. The first 16.

    A quotation mark within a word belongs to the word, as in צה"ל.
    """
    found = (normalised(quoted or word) for quoted, word in _TERM.findall(q.translate(_AS_TYPED)))
    return tuple(Term(_pattern(each)) for each in dict.fromkeys(found) if each)[:_MOST_TERMS]


def _pattern(term: str) -> str:
    return term.rjust(TRIGRAM) if len(term) < TRIGRAM else term


def trigrams_of(terms: Iterable[Term]) -> tuple[str, ...]:
    """Return the distinct trigrams of terms."""
    return tuple(dict.fromkeys(each for term in terms for each in term.trigrams))


def fts_query(trigrams: Iterable[str]) -> str:
    """Return the query of SQLite's text index for texts that have each of some trigrams, quoted."""
    return " AND ".join('"' + each.replace('"', '""') + '"' for each in trigrams)


def like_pattern(term: Term) -> str:
    """Return the pattern of LIKE for texts that contain a term. Its escape character is the backslash."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", term.pattern) + "%"
