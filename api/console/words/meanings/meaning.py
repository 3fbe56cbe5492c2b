"""A meaning: what a code of the services says, and what a person does about it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from api.console.words.languages import gettext


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is wrong, and what to do; both are marked for translation, and `to_do` may be empty.

    `says_all`: the detail that the services keep beside the code has no value that the words lack.
    """

    what: str
    to_do: str = ""
    says_all: bool = False


def worded(meanings: Mapping[str, Meaning], code: str | None) -> Meaning | None:
    """Return the meaning of a code in the language of the page, None if the code has no words here."""
    known = meanings.get(code or "")
    return known and replace(known, what=gettext(known.what), to_do=known.to_do and gettext(known.to_do))
