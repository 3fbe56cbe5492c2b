"""Values of people on a page: isolated from the text around them, with the signs that reverse it made visible."""

import re

from markupsafe import Markup

_REVERSING = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Signs that change the direction of what follows them, and control characters. The marks U+200E and U+200F stay."""


def shown(value: object) -> Markup:
    """Return a value as text in a `<bdi>` of its own."""
    if value is None or value == "":
        return Markup("–")
    return Markup("<bdi>{}</bdi>").format(plain(value))


def plain(value: object) -> str:
    """Return a value for an attribute, where no element can isolate it."""
    return _REVERSING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(value))
