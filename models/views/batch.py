"""Batches as the JSON API and the command line take and show them."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from models.runs.batch import BatchFacts, ItemFacts, ItemState
from models.views.archives.archives import ArchiveFilter
from models.views.messages import MessageFilter
from models.views.parameters import NOT_KEPT, ActionView, Page, RequestBody, Statement, Text


class Request(RequestBody):
    """How a batch is asked for."""

    dry_run: bool = Field(True, description="only plan; `confirm` then freezes the list and starts it")
    by: Text | None = Field(None, max_length=100, description=NOT_KEPT)


class RerunRequest(Request, ArchiveFilter):
    """The filters of the archives to run again."""

    def filter(self) -> ArchiveFilter:
        return ArchiveFilter(**self.model_dump(exclude=set(Request.model_fields)))


class RedeliveryFilter(MessageFilter):
    """Filters of the messages to deliver again. Without `state`, dead and skipped messages match."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"state": {"items": {"not": {"const": "delivered"}}}}},
                {"properties": {"force": {"const": True}}, "required": ["force"]},
            ]
        }
    )

    force: bool = Field(False, description="also messages that were confirmed, if `state` names `delivered`")


class RedeliveryRequest(Request, RedeliveryFilter):
    """Filters of the messages to deliver again. Without `state`, dead and skipped messages match."""

    def filter(self) -> RedeliveryFilter:
        return RedeliveryFilter(**self.model_dump(exclude=set(Request.model_fields)))


def _names_archives(schema: dict[str, Any]) -> None:
    """Let a schema require one filter: nobody erases all archives by mistake."""
    some: dict[str, Any] = {name: {"not": {"enum": [None, []]}} for name in ArchiveFilter.model_fields}
    some["q"] = {"type": "string", "pattern": r"\w"}
    schema["anyOf"] = [{"required": [name], "properties": {name: its}} for name, its in some.items()]


class ErasureFilter(ArchiveFilter):
    """The filters of the archives to erase, of which one is needed, and the ground."""

    model_config = ConfigDict(json_schema_extra=_names_archives)

    reason: Statement = Field(description="why they are erased; it stays in their tombstones, so it names nobody")


class ErasureRequest(ErasureFilter):
    """The archives to erase. Another person confirms the plan, unless `CELLAR_ERASE_APPROVERS` is 1."""

    by: Text | None = Field(None, max_length=100, description=NOT_KEPT)


class CauseCount(BaseModel):
    """The archives that failed for one cause in one task. `values` say the sentence by code."""

    code: str
    task: str | None
    sentence: str | None = None
    values: dict[str, Any] = {}
    archives: int


class TemplateCount(BaseModel):
    template_id: str | None
    archives: int


class RerunPlan(BaseModel):
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


class ErasurePlan(BaseModel):
    """What an erasure would remove.

    `archives` with `files` of `size_bytes` in their current versions. `held` and `on_their_way` match the filter and
    are left out. `locked_until`: until when an Object Lock keeps versions of the newest of them, null without a lock.
    `events_days`: for how many days a Prefect server of its own may keep their events, null where they go at once.
    `approvers`: how many people it takes.
    """

    archives: int
    files: int
    size_bytes: int
    held: int
    on_their_way: int
    locked_until: AwareDatetime | None
    events_days: int | None
    approvers: int


class EndpointShare(BaseModel):
    """The messages of a plan to one endpoint."""

    endpoint: str
    messages: int
    failing: bool


class RedeliveryPlan(BaseModel):
    """What a redelivery would send.

    `messages` by endpoint, state and event. `left_out` are the messages by endpoint that match and stay as they are,
    since their endpoint is disabled or removed; `filtered` those that the endpoint's filter leaves out.
    """

    messages: int
    endpoints: list[EndpointShare]
    states: dict[str, int]
    events: dict[str, int]
    left_out: dict[str, int]
    filtered: int


Plan = RerunPlan | RedeliveryPlan | ErasurePlan


class BatchView(BatchFacts):
    """A batch and how far it is. `done` counts the items that ended well: `completed` and `skipped`."""

    done: int
    completed: int
    skipped: int
    failed: int
    started: int
    queued: int
    url: str | None = Field(description="the flow run that drives it, in Prefect's UI")
    actions: list[ActionView]
    plan: Plan


class BatchItemView(ItemFacts):
    """What became of an item."""


class BatchRecord(BatchView):
    """A batch with a page of its items. `next` is the `after` of the following page."""

    items: list[BatchItemView]
    next: int | None


class BatchPage(Page[BatchView]):
    """Batches, newest first."""


class ItemQuery(BaseModel):
    """A page of the items of a batch."""

    item_state: ItemState | None = Field(None, description="only items in this state")
    after: int = Field(0, ge=0, lt=1 << 31, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=500)
