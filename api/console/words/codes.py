"""Words and colours for codes in the language of the page. A code without words shows itself."""

from collections.abc import Mapping

from api.console.words.languages import gettext
from domain.words.codes import WORDS
from models.store.condition import ConditionCode

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


def code_text(code: str | None, kind: str = "") -> str:
    """Return the words for a code, or for a name of one kind of thing; itself without words."""
    known = WORDS.get(f"{kind}_{code}" if kind else code or "")
    return gettext(known) if known else code or ""


def value_text(value: object) -> str:
    """Return the value of a filter: the words for a code, else the value itself."""
    return code_text(value) if isinstance(value, str) else str(value)


def filter_text(name: str) -> str:
    """Return the label of a filter. A filter without words is named by its own name."""
    known = WORDS.get(f"filter_{name}")
    return gettext(known) if known else name.replace("_", " ").capitalize()


def tone(code: str | None) -> str:
    """Return the colour in which a code is shown: green, orange, red or grey."""
    return _TONES.get(code or "", "secondary")
