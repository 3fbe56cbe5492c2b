"""What needs a person: `/api/discrepancies`, also of no archive, `/api/failures`, `/api/missing` and `/api/refused`."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf
from api.json.routes import OF_A_LIST, does
from models.access import Action
from models.views import troubles as views
from models.views.archives.payments import DiscrepancyPage, DiscrepancyQuery, Explanation, ListedDiscrepancy
from models.views.parameters import Dismissal, Text
from services.completeness import finding_missing
from services.payments import discrepancies
from services.views import troubles
from services.views.masks import shown_to

of_money = APIRouter(prefix="/api/discrepancies", tags=["discrepancies"])
failures = APIRouter(prefix="/api/failures", tags=["failures"])
missing = APIRouter(prefix="/api/missing", tags=["missing processes"])
refused = APIRouter(prefix="/api/refused", tags=["refused deliveries"])
EXPLAINED = (
    "The discrepancy with its explanation.",
    {
        404: {"UNKNOWN_DISCREPANCY": "there is no such discrepancy."},
        409: {
            "DISCREPANCY_CLOSED": "the cause of the discrepancy is gone.",
            "DISCREPANCY_CHANGED": "`expected` or `found` is no longer the value of the discrepancy; read it again.",
        },
    },
)
"""What routes answer that explain a discrepancy, and their failures."""
_NOT_DISMISSED = {
    404: {"UNKNOWN_FINDING": "there is no such finding."},
    409: {"FINDING_CLOSED": "the finding is closed: the process has arrived, goes on, or was dismissed."},
}
_READS = Action.READ_TROUBLES


@of_money.get("", **does(_READS, "A page of discrepancies, in the order of their codes", codes=OF_A_LIST))
def list_discrepancies(query: Annotated[DiscrepancyQuery, Query()], caller: CallerOf) -> DiscrepancyPage:
    return shown_to(caller, troubles.discrepancy_page(query))


@of_money.post(
    "/{discrepancy_id}/explanation",
    **does(Action.DECIDE, "Explain a discrepancy, of an archive or of none", *EXPLAINED),
)
def explain_discrepancy(discrepancy_id: Text, explanation: Explanation, caller: CallerOf) -> ListedDiscrepancy:
    """The discrepancy stays explained until its values change or its cause is gone; 409 if that has already happened.
    Pass `expected` and `found` as you read them.
    """
    discrepancies.explain(discrepancy_id, explanation.model_copy(update={"by": caller.name}), datetime.now(UTC))
    found = troubles.find_discrepancy(discrepancy_id)
    if found is None:
        raise discrepancies.unknown()
    return found


@failures.get("", **does(_READS, "Failed archives, grouped by cause", "Successful Response", OF_A_LIST))
def list_failures(query: Annotated[views.FailureQuery, Query()]) -> views.Failures:
    """The cause of most archives comes first. Archives that wait to be tried again are not failed."""
    return troubles.failures(query.source)


@missing.get("", **does(_READS, "A page of missing processes, the nearest deadline first", codes=OF_A_LIST))
def list_missing(query: Annotated[views.MissingQuery, Query()], caller: CallerOf) -> views.MissingPage:
    """Without `state`, the open findings; closed findings are the history."""
    return shown_to(caller, troubles.missing_page(query))


@missing.post(
    "/{missing_id}/dismiss", **does(Action.DECIDE, "Dismiss a missing process", "The finding, closed.", _NOT_DISMISSED)
)
def dismiss_missing(missing_id: Text, dismissal: Dismissal, caller: CallerOf) -> views.MissingView:
    """The finding stays in the history with the reason. A later submission of the process opens another finding."""
    return finding_missing.dismiss(missing_id, dismissal.model_copy(update={"by": caller.name}), datetime.now(UTC))


@refused.get("", **does(_READS, "A page of refused deliveries, newest first", codes=OF_A_LIST))
def list_refused(query: Annotated[views.RefusedQuery, Query()], caller: CallerOf) -> views.RefusedPage:
    return shown_to(caller, troubles.refused_page(query))
