"""Discrepancies in the database: of some codes, exactly these are found now."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlmodel import col, delete, or_

from adapters.database import insert_rows, writing
from domain.rows import discrepancy_id
from models.discrepancy import Discrepancy, DiscrepancyCode, DiscrepancyRow, DiscrepancyState


def settle(
    reference: str | None, codes: Collection[DiscrepancyCode], found: Sequence[Discrepancy], now: datetime
) -> None:
    """Of these codes, for this archive, exactly these are found now."""
    settle_many({reference: found}, codes, now)


def settle_many(
    found: Mapping[str | None, Sequence[Discrepancy]], codes: Collection[DiscrepancyCode], now: datetime
) -> None:
    """`settle` for many archives, in one transaction."""
    references = [each for each in found if each is not None]
    of_none = [col(DiscrepancyRow.reference).is_(None)] if None in found else []
    these = or_(col(DiscrepancyRow.reference).in_(references), *of_none)
    with writing() as session:
        session.execute(delete(DiscrepancyRow).where(these, col(DiscrepancyRow.code).in_(codes)))
        insert_rows(session, DiscrepancyRow, [_row(key, each) for key, these in found.items() for each in these])


def _row(reference: str | None, each: Discrepancy) -> dict[str, str | None]:
    return {
        "discrepancy_id": discrepancy_id(reference, each),
        "reference": reference,
        "code": each.code,
        "transaction_id": each.transaction_id,
        "subject": each.subject,
        "expected": each.expected,
        "found": each.found,
        "state": DiscrepancyState.OPEN,
    }
