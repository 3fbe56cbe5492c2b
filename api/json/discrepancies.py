"""`/api/discrepancies`: all discrepancies, also discrepancies of no archive."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf, acts
from api.errors import failures
from models.access import Action
from models.views.archives.payments import DiscrepancyPage, DiscrepancyQuery, Explanation, ListedDiscrepancy
from models.views.parameters import Text
from services.payments import discrepancies
from services.views import troubles
from services.views.masks import shown_to

router = APIRouter(prefix="/api/discrepancies", tags=["discrepancies"])
EXPLANATION_FAILURES = failures(
    {
        404: {"UNKNOWN_DISCREPANCY": "there is no such discrepancy."},
        409: {
            "DISCREPANCY_CLOSED": "the cause of the discrepancy is gone.",
            "DISCREPANCY_CHANGED": "`expected` or `found` is no longer the value of the discrepancy; read it again.",
        },
    }
)


@router.get(
    "",
    summary="A page of discrepancies, in the order of their codes",
    response_description="The page.",
    dependencies=[acts(Action.READ_TROUBLES)],
)
def list_discrepancies(query: Annotated[DiscrepancyQuery, Query()], caller: CallerOf) -> DiscrepancyPage:
    return shown_to(caller, troubles.discrepancy_page(query))


@router.post(
    "/{discrepancy_id}/explanation",
    summary="Explain a discrepancy, of an archive or of none",
    response_description="The discrepancy with its explanation.",
    responses=EXPLANATION_FAILURES,
    dependencies=[acts(Action.DECIDE)],
)
def explain(discrepancy_id: Text, explanation: Explanation, caller: CallerOf) -> ListedDiscrepancy:
    """The discrepancy stays explained until its values change or its cause is gone; 409 if that has already happened.
    Pass `expected` and `found` as you read them.
    """
    discrepancies.explain(discrepancy_id, explanation.model_copy(update={"by": caller.name}), datetime.now(UTC))
    found = troubles.find_discrepancy(discrepancy_id)
    if found is None:
        raise discrepancies.unknown()
    return found
