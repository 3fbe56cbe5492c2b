"""Archives that were loaded without their key: what is sealed of them reads as null."""

from collections.abc import Mapping
from typing import TypeVar

from sqlmodel import Session, col, select

from models.finding import WarningCode, WarningRow

Found = TypeVar("Found")


def without_locked(session: Session, found: Mapping[str | None, Found]) -> dict[str | None, Found]:
    """Return what was found in archives but for those that are locked: of them nothing is claimed, and nothing closed.

    Args:
        found: by the reference of the archive; of a thousand archives at most.
    """
    locked = select(WarningRow.reference).where(
        WarningRow.code == WarningCode.SECRETS_LOCKED, col(WarningRow.reference).in_(found)
    )
    passed_over = set(session.exec(locked))
    return {reference: each for reference, each in found.items() if reference not in passed_over}
