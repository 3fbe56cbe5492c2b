"""How a content's base64 was written in the request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spelling:
    """A spelling as it was between the quotes, escapes included. The default is RFC 4648 without anything around it."""

    prefix: str = ""
    """A data URI up to its comma."""
    plus: str = "+"
    slash: str = "/"
    pad: str = "="
    """Empty if the padding was left out."""
    line: int = 0
    """Base64 characters in a line, or 0 for a single line."""
    line_break: str = ""
    ends_with_break: bool = False
