"""Words what is said: from its code, its values and the texts of a language."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from gettext import NullTranslations
from typing import Any

from domain.words.causes import ANSWERS, CAUSES
from domain.words.codes import WORDS
from domain.words.parts import PARTS
from domain.words.wording import ENGLISH
from models.archive.archive import WarningCode
from models.discrepancies import DiscrepancyCode
from models.said import FindingCode, Meaning, Said, Sentence, said_of, verbatim
from models.store.condition import ALL_CODES

FINDINGS: Mapping[str, FindingCode] = {str(each): each for each in (*WarningCode, *DiscrepancyCode, *ALL_CODES)}
MEANINGS: Mapping[str, Meaning] = {**CAUSES, **{code: each.meaning for code, each in FINDINGS.items()}}
"""What a code means, wherever it is said. Codes of causes and of findings differ."""
TEXTS: Mapping[str, str] = {
    **WORDS,
    **{each.name: each.english for each in Sentence},
    **{f"what_{code}": each.what for code, each in MEANINGS.items()},
    **{f"detail_{code}": each.detail for code, each in FINDINGS.items() if each.detail},
}
"""Every text by its code; `what_CODE` is what a code means, `detail_CODE` what it says with its values."""


def every_text() -> Iterator[str]:
    """Yield the English texts of the catalogue that a language has to word. Pure."""
    texts = [*TEXTS.values()]
    for meanings in (MEANINGS, ANSWERS, PARTS):
        texts += [text for each in meanings.values() for text in (each.what, each.to_do)]
    yield from (each for each in texts if re.search("[A-Za-z]", re.sub(r"%\(\w+\)s", "", each)))


def moment_text(moment: datetime) -> str:
    """Return a moment in UTC to the second. Pure."""
    try:
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # a payload or a signer may state any time, even at the end of the calendar
        return moment.isoformat()


def plain(value: str | datetime) -> str:
    """Return a text as it is, and a moment in UTC. Pure."""
    return value if isinstance(value, str) else moment_text(value)


def word(told: Said, texts: NullTranslations = ENGLISH, shown: Callable[[str | datetime], str] = plain) -> str:
    """Return what is said as text. A code of another version of cellar shows itself. Pure.

    Several sentences are joined by semicolons, several values by commas. A number that is called `count` is written
    with separators. `shown` shows a value that no language words, and a moment.
    """
    if told.code == "moment":
        return shown(datetime.fromisoformat(told.values["at"]))
    text = TEXTS.get(told.code)
    if text is None:
        return shown(told.code)
    return texts.gettext(text) % {name: _value(name, each, texts, shown) for name, each in told.values.items()}


def in_words(**told: Said | None) -> dict[str, Any]:
    """Return members that say something: each in English, and `values` that say them by code. Pure."""
    given = {name: each for name, each in told.items() if each}
    return {name: word(each) for name, each in given.items()} | {
        "values": {name: each.as_json() for name, each in given.items()}
    }


def warned(code: str, values: Mapping[str, Any]) -> Said:
    """Return what a warning says, with its values if it has any. Pure."""
    return Said(detail if (detail := f"detail_{code}") in TEXTS else f"what_{code}", values)


def named(code: str) -> Said:
    """Return what a code means, followed by the code itself. Pure."""
    return Sentence.meant(what=Said(f"what_{code}"), code=code) if code in MEANINGS else verbatim(code)


def _value(name: str, value: Any, texts: NullTranslations, shown: Callable[[str | datetime], str]) -> str:
    if isinstance(value, Said):
        return word(value, texts, shown)
    if isinstance(value, Mapping):
        return word(said_of(value), texts, shown)
    if isinstance(value, list | tuple):
        sign = "; " if isinstance(next(iter(value), ""), Said | Mapping) else ", "
        return sign.join(_value(name, each, texts, shown) for each in value)
    return shown(f"{value:,}" if name == "count" else "" if value is None else str(value))
