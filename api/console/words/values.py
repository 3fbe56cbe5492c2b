"""Values of people on a page: isolated from the text around them, with the signs that reverse it made visible."""

import json
import re
from typing import Any

from markupsafe import Markup

from api.console.words.languages import direction

_REVERSING = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Signs that change the direction of what follows them, and control characters. The marks U+200E and U+200F stay."""
NO_VALUE = Markup("–")
_LONGEST_WORD = 30
"""What is longer is an identifier, and may be broken at any letter. Words are not."""


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


def value_text(value: Any) -> str:
    """Return a value of a payload as text: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
