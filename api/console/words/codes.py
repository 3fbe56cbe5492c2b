"""Words and colours for codes in the language of the page. A code without words shows itself."""

from collections.abc import Mapping

from api.console.words.languages import gettext, worded
from domain.words.codes import FILTERS, MISSING, PART_NAMES, WAITS, WORDS
from domain.words.findings import CONDITION_NAMES
from models.store.condition import ConditionCode

_NAMES: Mapping[str, str] = {**WORDS, **CONDITION_NAMES}
_TONES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("completed", "delivered", "Completed", "settled", "charged", "sound", "released"),
            *("ok", "active", "done", "archived"),
        ),
        "green",
    ),
    **dict.fromkeys(ConditionCode, "red"),
    **dict.fromkeys(("failed", "dead", "Failed", "Crashed", "broken", "refused", "open", "wrong", "deleted"), "red"),
    **dict.fromkeys(
        (
            *("pending", "processing", "received", "AwaitingRetry", "Running", "held", "changed", "fields_changed"),
            *("warning", "running", "paused", "queued", "started", "failing", "dismissed", "set_aside"),
        ),
        "orange",
    ),
}


def part_text(name: str) -> str:
    """Return the name of a part of the system."""
    return worded(PART_NAMES.get(name, name))


def code_text(code: str | None) -> str:
    """Return the words for a code; a code without words is returned as it is."""
    return worded(_NAMES.get(code or "", code or ""))


def value_text(value: object) -> str:
    """Return the value of a filter: the words for a code, else the value itself."""
    return code_text(value) if isinstance(value, str) and value in _NAMES else str(value)


def missing_text(why: str) -> str:
    """Return why a process is missing."""
    return worded(MISSING.get(why, why))


def waits_text(system: str) -> str:
    """Return what archives wait for."""
    return worded(WAITS.get(system, system))


def filter_text(name: str) -> str:
    """Return the label of a filter. A filter without words is named by its own name."""
    known = FILTERS.get(name)
    return gettext(known) if known else name.replace("_", " ").capitalize()


def tone(code: str | None) -> str:
    """Return the colour in which a code is shown: green, orange, red or grey."""
    return _TONES.get(code or "", "secondary")
