"""The one decision about what is personal: of columns by their names, of fields and labels by what people say of them,
else by their declared types. Faces, tables, exports and searches ask it; how a role gets what is personal is in
`domain/access.py` and `is_masked` of a caller. Pure.
"""

import re
from collections.abc import Collection
from typing import Any

from models.discrepancies import DiscrepancyCode
from models.templates import PartId, TemplateWords

MASK = "•••"
"""Stands in place of what is personal, for who sees it masked."""
_COLUMNS = frozenset(
    {
        *("author", "recipient", "recipient_id", "recipient_name", "submission_details"),
        *("sessions.latitude", "sessions.longitude", "signed_by", "signer_id", "signer_name"),
        *("card_last4", "card_mask", "filename", "signer", "mail", "card"),
        "entry_id",  # a digest without a key, of a card too
    }
)
"""Columns whose values are all personal, by their names in tables, in lists of an archive, and in searches."""
_OF_CARDS = frozenset({DiscrepancyCode.CARD_CONFLICT, DiscrepancyCode.CARD_EXPIRED})
_OF_WHAT_WAS_TYPED = frozenset({DiscrepancyCode.FIELD_WITHOUT_PAYMENT})
_OF_ENTRIES = frozenset({DiscrepancyCode.MISSING_IN_ARCHIVE, DiscrepancyCode.AMBIGUOUS_MATCH})
_FINDINGS = {
    **dict.fromkeys(("expected", "found", "sentence"), _OF_CARDS),
    "transaction_id": _OF_WHAT_WAS_TYPED,
    "discrepancy_id": _OF_WHAT_WAS_TYPED | _OF_ENTRIES,  # digests without a key
}
"""Columns of discrepancies that are personal in rows of some codes alone."""
_CELLOSIGN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9][a-z0-9.+-]{0,80}")
FIXED_TYPES = frozenset({"select", "radio", "dropdown", "list"})
CHOSEN_TYPES = FIXED_TYPES | {"checkbox", "combo"}
"""The declared types of fields whose values are chosen, of some from a list that nobody can add to."""
_FLAG_TYPES, _MONEY_TYPES = frozenset({"checkbox"}), frozenset({"amount", "currency", "money", "price"})
_FLAGS = frozenset({"", "true", "false", "yes", "no", "on", "off", "1", "0", "כן", "לא"})
_MONEY = re.compile(r"(?:[₪$€£] ?)?-?(?:0|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]{0,11})(?:\.[0-9]+)?(?: ?[₪$€£])?")


def is_personal(table: str, column: str) -> bool:
    """Return whether all values of a column are personal. `table` may be empty where the name says it."""
    return not _COLUMNS.isdisjoint((column, f"{table}.{column}"))


def may_hide(table: str, column: str) -> bool:
    """Return whether some values of a column are personal, and others not."""
    return (table == "discrepancies" and column in _FINDINGS) or f"{table}.{column}" == "files.media_type"


def hides(table: str, column: str, value: Any, code: str = "") -> bool:
    """Return whether a value of a column that is not personal as a whole is: in a finding by the `code` of it, but for
    an id of Cellosign's, and what was declared as a media type if it says more than that.
    """
    if not may_hide(table, column):
        return False
    if table == "discrepancies":
        is_id = column == "transaction_id" and bool(value) and bool(_CELLOSIGN_ID.fullmatch(value))
        return code in _FINDINGS[column] and not is_id
    return bool(value) and not _MEDIA_TYPE.fullmatch(value)


def part_of(field_id: str | None) -> PartId:
    """Return a form field as people speak of it; empty for one without an id, of which nobody can."""
    return "" if field_id is None else f"field:{field_id}"


def is_part_personal(
    words: TemplateWords, part: PartId, value: Any, type_: str | None, chosen: Collection[PartId]
) -> bool:
    """Return whether the value of a field or a label is personal: as people say; where nobody says, unless its declared
    type and the value itself are of nobody.

    Args:
        chosen: the parts that are known to take a few values, which somebody chooses from.
    """
    if words.is_public(part):
        return False
    is_said = part in words.parts and words.parts[part].personal is True
    return is_said or not _is_of_nobody((type_ or "").lower(), value, is_chosen=part in chosen)


def _is_of_nobody(type_: str, value: Any, *, is_chosen: bool) -> bool:
    if type_ in FIXED_TYPES:
        return is_chosen
    if isinstance(value, dict | list):
        return False
    text = "" if value is None else str(value).strip().lower()
    return (type_ in _FLAG_TYPES and text in _FLAGS) or (
        type_ in _MONEY_TYPES and (not text or bool(_MONEY.fullmatch(text)))
    )
