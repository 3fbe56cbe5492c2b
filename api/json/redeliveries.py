"""`/api/redeliveries`: plans, confirms and shows the redelivery of messages."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.errors import failures
from api.json.parameters import By, named
from models.views.messages.redeliveries import RedeliveryPage, RedeliveryRequest, RedeliveryView
from models.views.parameters import PageQuery, Text
from services.redelivery import confirming, planning, records

router = APIRouter(prefix="/api/redeliveries", tags=["redeliveries"])
_UNKNOWN = {404: {"UNKNOWN_REDELIVERY": "no redelivery has this id."}}


@router.get("", summary="A page of redeliveries and plans, newest first", response_description="The page.")
def list_redeliveries(query: Annotated[PageQuery, Query()]) -> RedeliveryPage:
    return records.page(query)


@router.post(
    "",
    summary="Plan the redelivery of all messages that match a filter",
    response_description="The plan, or the redelivery that was started.",
)
def plan(request: RedeliveryRequest) -> RedeliveryView:
    """With `dry_run`, the default, nothing is sent: `confirm` freezes the list of the plan and makes it due. Without,
    both happen at once.
    """
    made = planning.plan(request.filter(), named(request.by), force=request.force)
    if not request.dry_run:
        confirming.confirm(made.id, named(request.by))
    return records.view(made.id)


@router.get(
    "/{redelivery_id}",
    summary="A redelivery and how far it is",
    response_description="The redelivery.",
    responses=failures(_UNKNOWN),
)
def read(redelivery_id: Text) -> RedeliveryView:
    return records.view(redelivery_id)


@router.post(
    "/{redelivery_id}/confirm",
    summary="Freeze the list of a plan, and make its messages due",
    response_description="The confirmed redelivery.",
    responses=failures(_UNKNOWN | {409: {"WRONG_STATE": "the redelivery was confirmed before."}}),
)
def confirm(redelivery_id: Text, by: By) -> RedeliveryView:
    """Messages that came after the plan are not in the list. The messages keep their ids."""
    confirming.confirm(redelivery_id, by)
    return records.view(redelivery_id)
