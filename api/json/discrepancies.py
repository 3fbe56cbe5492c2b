"""`/api/discrepancies`: the discrepancies of all archives, and those of no archive."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.authorization import check_reader
from models.views.parameters import Text
from models.views.payments import DiscrepancyPage, DiscrepancyQuery, Explanation, ListedDiscrepancy
from services.payments import discrepancies
from services.views import discrepancy_list

router = APIRouter(prefix="/api/discrepancies", tags=["discrepancies"], dependencies=[Depends(check_reader)])


@router.get("", summary="A page of discrepancies, in the order of their codes")
def list_discrepancies(query: Annotated[DiscrepancyQuery, Query()]) -> DiscrepancyPage:
    return discrepancy_list.page(query)


@router.post("/{discrepancy_id}/explanation", summary="Explain a discrepancy, of an archive or of none")
def explain(discrepancy_id: Text, explanation: Explanation) -> ListedDiscrepancy:
    """The discrepancy stays explained until its values change or its cause is gone; 409 if that has already happened.
    Pass `expected` and `found` as you read them.
    """
    discrepancies.explain(discrepancy_id, explanation, datetime.now(UTC))
    found = discrepancy_list.find(discrepancy_id)
    if found is None:
        raise discrepancies.unknown()
    return found
