"""Bulk re-runs as the JSON API and the command line show them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from models.runs.bulk import ItemState
from models.views.archives.archives import ArchiveFilter
from models.views.parameters import Page, RequestBody, Text


class BulkRequest(RequestBody, ArchiveFilter):
    """The filters of the archives to run again."""

    dry_run: bool = Field(True, description="only plan; `confirm` then freezes the list and starts it")
    by: Text | None = Field(None, max_length=100, description="your name or program, for the record")

    def filter(self) -> ArchiveFilter:
        return ArchiveFilter(**self.model_dump(exclude={"dry_run", "by"}))


class Client(RequestBody):
    """The person or program that pauses, resumes, confirms or aborts, for the record."""

    by: Text | None = Field(None, max_length=100)


class CauseCount(BaseModel):
    """The archives that failed for one cause in one task."""

    code: str
    task: str | None
    sentence: str | None
    archives: int


class TemplateCount(BaseModel):
    template_id: str | None
    archives: int


class PlanView(BaseModel):
    """What a bulk re-run would do.

    `archives` would be run again. `on_their_way` match the filter and are left out, since their run is on its way.
    `complete` of the archives are complete and stay complete. `undelivered` messages would be tried again.
    `seconds` is null while no run has ended in the last day.
    """

    archives: int
    on_their_way: int
    complete: int
    states: dict[str, int]
    causes: list[CauseCount]
    templates: list[TemplateCount]
    archives_of_other_templates: int
    undelivered: int
    endpoints: int
    seconds: float | None
    measured_runs: int
    at_once: int


class ActionView(BaseModel):
    at: datetime
    by: str
    what: str


class BulkView(BaseModel):
    """A bulk re-run and how far it is. `done` counts the archives that ended well: `completed` and `skipped`."""

    id: str
    state: str
    filter: dict[str, Any]
    by: str
    created_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    planned: int
    done: int
    completed: int
    skipped: int
    failed: int
    started: int
    queued: int
    url: str | None = Field(description="the flow run that drives it, in Prefect's UI")
    actions: list[ActionView]
    plan: PlanView


class BulkItemView(BaseModel):
    """What became of an archive. `skipped` says why it got no run, `cause` why its run failed."""

    position: int
    reference: str
    receipt_id: str | None
    was: str
    state: str
    skipped: str | None
    cause: str | None
    sentence: str | None
    flow_run_id: str | None
    started_at: datetime | None
    ended_at: datetime | None


class BulkRecord(BulkView):
    """A bulk re-run with a page of its archives. `next` is the `after` of the following page."""

    items: list[BulkItemView]
    next: int | None


class BulkPage(Page[BulkView]):
    """Bulk re-runs, newest first."""


class ItemQuery(BaseModel):
    """A page of the archives of a bulk re-run."""

    item_state: ItemState | None = Field(None, description="only archives in this state")
    after: int = Field(0, ge=0, lt=1 << 31, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=500)
