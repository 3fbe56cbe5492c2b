"""Finds archives that were loaded without their key, so that their sealed values are null."""

from collections.abc import Mapping
from typing import TypeVar

from sqlmodel import Session, col, exists, select

from models.archive.warning import WarningCode, WarningRow
from models.payments import PaymentRow

Item = TypeVar("Item")

_IS_LOCKED = col(WarningRow.code) == WarningCode.SECRETS_LOCKED


def without_locked(session: Session, found: Mapping[str | None, Item]) -> dict[str | None, Item]:
    """Return the items of archives that are not locked. No discrepancy of a locked archive is opened or closed.

    Args:
        found: The items by the reference of their archive; at most 1,000 archives.
    """
    locked = select(WarningRow.reference).where(_IS_LOCKED, col(WarningRow.reference).in_(found))
    passed_over = set(session.exec(locked))
    return {reference: each for reference, each in found.items() if reference not in passed_over}


def has_locked_payments(session: Session) -> bool:
    """Return whether any locked archive has payments: entries and other payments may belong with them unnoticed."""
    its_payments = exists().where(col(PaymentRow.reference) == col(WarningRow.reference))
    return session.exec(select(WarningRow.reference).where(_IS_LOCKED, its_payments).limit(1)).first() is not None
