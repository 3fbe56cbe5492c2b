"""Names tables and columns: ASCII that SQL takes without quotes, each given once and kept. Pure."""

import re
from collections.abc import Collection
from hashlib import sha256
from itertools import count

from sqlalchemy.sql.compiler import RESERVED_WORDS

FORM = "form_"
LATITUDE, LONGITUDE = "_latitude", "_longitude"
_PLAIN_ID = re.compile(r"(?!.*_([0-9a-f]{12}|idx[0-9]*)$)[a-z0-9_]{1,48}")
"""An id that is a part of the name as it is, and ends neither like other names nor like those of indexes."""
_MOST_NAME = 45
"""Postgres takes 63 characters, and a name may get a number and `_longitude`."""
_PLAIN_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{_MOST_NAME - 1}}}")


def form_table(template_id: str) -> str:
    """Return the name of the table of a template: another for each id, and always the same."""
    if _PLAIN_ID.fullmatch(template_id):
        return f"{FORM}{template_id}"
    plain = re.sub(r"[^a-z0-9]+", "_", template_id.lower())[:30].strip("_")
    return f"{FORM}{plain}_{_digest(template_id)[:12]}"


def field_key(element: str | None, occurrence: int) -> str:
    """Return the key of a field: of its id, and of its number among the fields of an archive with the same id."""
    return _digest(f"{occurrence} {'' if element is None else f'={element}'}")


def column_name(said: str | None, element: str | None, occurrence: int, taken: Collection[str]) -> str:
    """Return the name of a new column: as people call the field in English, else its id.

    It begins with a letter, since those of cellar's own columns begin with a line. It is no reserved word of SQL, and
    differs from the names that are taken by more than capitals.

    Args:
        taken: names in small letters.
    """
    wanted = next((name for each in (said, element) if (name := _plain(each or ""))), "field")
    numbered = (wanted if number == 1 else f"{wanted}_{number}" for number in count(occurrence + 1))
    return next(each for each in numbered if taken_by(each).isdisjoint(taken))


def taken_by(name: str) -> set[str]:
    """Return the names that a column takes, since it may be one of a location, in small letters."""
    return {name.lower(), f"{name}{LATITUDE}".lower(), f"{name}{LONGITUDE}".lower()}


def quoted(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def _plain(text: str) -> str:
    if not (found := _PLAIN_NAME.fullmatch(text)):
        plain = re.sub(r"[^A-Za-z0-9]+", "_", text)[:_MOST_NAME].strip("_")
        if not plain or not plain[0].isalpha():
            return plain and f"field_{plain}"
    named = found[0] if found else plain
    return f"{named}_" if named.lower() in RESERVED_WORDS else named


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
