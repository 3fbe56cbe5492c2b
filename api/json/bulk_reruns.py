"""`/api/bulk-reruns`: plans, confirms, pauses, resumes and aborts bulk re-runs, and shows their records."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from api.errors import failures
from api.json.parameters import By, named
from models.views.bulk import BulkPage, BulkRecord, BulkRequest, BulkView, ItemQuery
from models.views.parameters import PageQuery, Text
from services.bulk import control, planning, records

router = APIRouter(prefix="/api/bulk-reruns", tags=["bulk re-runs"])
_UNKNOWN = {404: {"UNKNOWN_BULK_RERUN": "no bulk re-run has this id."}}


@router.get("", summary="A page of bulk re-runs and plans, newest first", response_description="The page.")
def list_bulk_reruns(query: Annotated[PageQuery, Query()]) -> BulkPage:
    return records.page(query)


@router.post(
    "",
    summary="Plan the re-run of all archives that match a filter",
    response_description="The plan, or the bulk re-run that was started.",
)
async def plan(request: BulkRequest) -> BulkView:
    """With `dry_run`, the default, nothing runs: `confirm` freezes the list of the plan and starts it. Without, both
    happen at once.
    """
    made = await asyncio.to_thread(planning.plan, request.filter(), named(request.by))
    if not request.dry_run:
        await planning.confirm(made.id, named(request.by))
    return await asyncio.to_thread(records.view, made.id)


@router.get(
    "/{bulk_id}",
    summary="A bulk re-run with a page of what became of its archives",
    response_description="The bulk re-run and the page.",
    responses=failures(_UNKNOWN),
)
def read(bulk_id: Text, query: Annotated[ItemQuery, Query()]) -> BulkRecord:
    return records.record(bulk_id, query)


@router.post(
    "/{bulk_id}/confirm",
    summary="Freeze the list of a plan, and start it",
    response_description="The confirmed bulk re-run. It has ended if its list is empty.",
    responses=failures(_UNKNOWN | {409: {"WRONG_STATE": "the bulk re-run is no longer planned."}}),
)
async def confirm(bulk_id: Text, by: By) -> BulkView:
    """409 if it is no longer planned. Archives that failed or arrived after the plan are not in the list."""
    await planning.confirm(bulk_id, by)
    return await asyncio.to_thread(records.view, bulk_id)


@router.post(
    "/{bulk_id}/pause",
    summary="Start no further archive until it is resumed",
    response_description="The paused bulk re-run.",
    responses=failures(_UNKNOWN | {409: {"WRONG_STATE": "the bulk re-run is not running."}}),
)
def pause(bulk_id: Text, by: By) -> BulkView:
    """409 if it is not running. Runs that are on their way end as usual."""
    control.pause(bulk_id, by)
    return records.view(bulk_id)


@router.post(
    "/{bulk_id}/resume",
    summary="Go on with a paused bulk re-run",
    response_description="The resumed bulk re-run.",
    responses=failures(_UNKNOWN | {409: {"WRONG_STATE": "the bulk re-run is not paused."}}),
)
def resume(bulk_id: Text, by: By) -> BulkView:
    """409 if it is not paused."""
    control.resume(bulk_id, by)
    return records.view(bulk_id)


@router.post(
    "/{bulk_id}/abort",
    summary="End a bulk re-run, or discard a plan",
    response_description="The aborted bulk re-run.",
    responses=failures(_UNKNOWN | {409: {"WRONG_STATE": "the bulk re-run has ended."}}),
)
def abort(bulk_id: Text, by: By) -> BulkView:
    """409 if it has ended. Archives that are not started stay untouched."""
    control.abort(bulk_id, by)
    return records.view(bulk_id)
