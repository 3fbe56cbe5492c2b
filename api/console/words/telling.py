"""What the services say, as parts of a page in its language: codes, what they mean, and sentences.

Values of people are isolated from the text around them, with the signs that reverse it made visible.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from markupsafe import Markup

from adapters.words.languages import texts
from api.console.words.formats import moment_text
from api.console.words.languages import direction, gettext, language
from domain.titles import title_parts
from domain.words import catalogue, parts
from domain.words.catalogue import MEANINGS, word
from domain.words.causes import ANSWERS, CAUSES
from domain.words.codes import WORDS
from domain.words.wording import meant, translated
from models.said import Meaning, Said, said_of
from models.store.condition import ConditionCode
from models.templates import Names
from models.titles import TitleView
from models.views.archives.archives import TimelineEntry, WarningView
from models.views.health import Check

_REVERSING = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Signs that change the direction of what follows them, and control characters. The marks U+200E and U+200F stay."""
NO_VALUE = Markup("–")
_LONGEST_WORD = 30
"""What is longer is an identifier, and may be broken at any letter. Words are not."""
_GREEN = (
    *("completed", "delivered", "Completed", "settled", "charged", "sound", "released", "ok", "active", "done"),
    *("archived", "unaltered"),
)
_RED = ("failed", "dead", "Failed", "Crashed", "broken", "refused", "open", "wrong", "deleted")
_ORANGE = (
    *("pending", "processing", "received", "AwaitingRetry", "Running", "held", "changed", "fields_changed"),
    *("unproved", "undated"),
    *("warning", "running", "paused", "queued", "started", "failing", "dismissed", "set_aside", "on_hold"),
)
_TONES: Mapping[str, str] = {
    **dict.fromkeys(_GREEN, "green"),
    **dict.fromkeys((*ConditionCode, *_RED), "red"),
    **dict.fromkeys(_ORANGE, "orange"),
}


def code_text(code: str | None, kind: str = "") -> str:
    """Return the words for a code, or for a name of one kind of thing; itself without words."""
    known = WORDS.get(f"{kind}_{code}" if kind else code or "")
    return gettext(known) if known else code or ""


def code_or_value(value: object) -> str:
    """Return the value of a filter: the words for a code, else the value itself; of several, each."""
    if isinstance(value, list):
        return ", ".join(map(code_or_value, value))
    return code_text(value) if isinstance(value, str) else str(value)


def filter_name(name: str) -> str:
    """Return the label of a filter. A filter without words is named by its own name."""
    known = WORDS.get(f"filter_{name}")
    return gettext(known) if known else name.replace("_", " ").capitalize()


def tone(code: str | None) -> str:
    """Return the colour in which a code is shown: green, orange, red or grey."""
    return _TONES.get(code or "", "secondary")


def meaning(code: str | None) -> Meaning | None:
    """Return what a cause, a refusal, a warning, a discrepancy or a condition means."""
    return meant(MEANINGS, code, texts(language()))


def wait_meaning(system: str) -> Meaning | None:
    """Return why runs wait for a system, and what brings it back."""
    return meaning(f"{system.upper().replace(' ', '_')}_AWAY")


def answer_meaning(code: str) -> Meaning | None:
    """Return why a page or an action fails."""
    return meant(ANSWERS, code, texts(language()))


def discrepancy_text(code: str) -> str:
    """Return what a discrepancy means in a sentence; the code itself if it has no words."""
    found = meaning(code)
    return found.what if found else code


def part_meaning(check: Check) -> Meaning | None:
    """Return what is wrong with a part of the system, None if it is well."""
    known = parts.part_meaning(check.name, check.code, check.verdict)
    return known and translated(known, texts(language()))


def choice_text(code: str, of: str = "") -> str:
    """Return a choice of the filter `of`: what a discrepancy, a warning or a condition means with its code, else its
    words.
    """
    found = None if code in CAUSES else meaning(code)
    return f"{found.what} ({isolated(code)})" if found else code_text(code, of if f"{of}_{code}" in WORDS else "")


def told(said: Said | Mapping[str, Any] | None) -> Markup:
    """Return what is said, each of its values isolated. A text that no language changes is marked as English."""
    if said is None:
        return NO_VALUE
    said = said if isinstance(said, Said) else said_of(said)
    if said.code == "text":
        return english(str(said.values["text"]))
    return Markup("<bdi>{}</bdi>").format(word(said, texts(language()), _isolated))


def _isolated(value: str | datetime) -> str:
    return isolated(plain(value) if isinstance(value, str) else moment_text(value))


def told_by(found: TimelineEntry | Check) -> Markup:
    """Return what an entry of a timeline says, or what a check of a part has found."""
    return told(Said(found.code, found.values))


def warned(found: WarningView) -> Markup:
    """Return what a warning says with its values."""
    return told(catalogue.warned(found.code, found.values))


def english(text: str) -> Markup:
    """Return an English text with its own direction. A text with right-to-left letters is not marked as English."""
    if not text:
        return NO_VALUE
    if any(unicodedata.bidirectional(each) in ("R", "AL") for each in text):
        return Markup("<bdi>{}</bdi>").format(plain(text))
    return Markup('<bdi lang="en" dir="ltr">{}</bdi>').format(plain(text))


def titled(reference: str, title: TitleView | None) -> Markup:
    """Return the title of an archive, each part isolated; its reference if nothing says what the archive is."""
    return Markup(" · ").join(map(shown, _title_parts(reference, title)))


def titled_plain(reference: str, title: TitleView | None) -> str:
    """Return the title of an archive, or its reference, where no element can isolate its parts."""
    return " · ".join(isolated(plain(each)) for each in _title_parts(reference, title))


def _title_parts(reference: str, title: TitleView | None) -> list[str]:
    return (title and title_parts(title, language(), texts(language()))) or [reference]


def named(names: Names) -> str | None:
    """Return a name that people gave, in the page's language if there is one."""
    return names.worded(language())


def shown(value: object) -> Markup:
    """Return a value as text in a `<bdi>` of its own."""
    if value is None or value == "":
        return NO_VALUE
    text = plain(value)
    is_long = max(map(len, text.split()), default=0) > _LONGEST_WORD
    return Markup("<bdi{}>{}</bdi>").format(Markup(' class="long"') if is_long else "", text)


def plain(value: object) -> str:
    """Return a value for an attribute, where no element can isolate it."""
    return _REVERSING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(value))


def isolated(text: str) -> str:
    """Return a value within a sentence, whose direction does not change the sentence's."""
    return text if direction() == "ltr" and text.isascii() else f"\u2068{text}\u2069"


def plain_lines(text: str) -> str:
    """Return a text of several lines for a page."""
    return "\n".join(plain(line) for line in text.splitlines())


def said_value(value: Any) -> str:
    """Return a value of a payload as pages show it: yes and no are words."""
    return (gettext("Yes") if value else gettext("No")) if isinstance(value, bool) else value_text(value)


def value_text(value: Any) -> str:
    """Return a value of a payload as text: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
