"""Archives, and differences between their versions, as the JSON API and the command line show them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue, SerializeAsAny, WithJsonSchema

from models.archive.archive import State, WarningCode
from models.archive.verdict import Outcome, Verdict
from models.discrepancies import DiscrepancyCode
from models.errors import CauseCode
from models.payments import Standing
from models.retention import DueAction
from models.runs.receipt import CauseColumns
from models.store.condition import OF_FILES, ConditionCode
from models.templates import Names
from models.titles import TitleView
from models.views.archives.holds import HoldView
from models.views.archives.payments import DiscrepancyView, PaymentView
from models.views.parameters import Integer, Moment, Page, PageQuery, RequestBody, Statement, Text
from models.views.troubles import MissingView, RefusedView

Pair = Annotated[Text, Field(json_schema_extra={"pattern": r"^[^\x00=]*=[^\x00]*$"})]


class ArchiveFilter(BaseModel):
    """The filters of archives. An archive must match every filter that is set."""

    reference: Text | None = Field(None, description="a full process reference")
    references: list[Text] = Field([], max_length=500, description="the references of which an archive must have one")
    process_number: Integer | None = None
    transaction_number: Integer | None = None
    session: Text | None = Field(None, description="the id of a session")
    label: list[Pair] = Field([], description="`KEY=VALUE`; an archive must have each label that is named")
    field: list[Pair] = Field(
        [],
        description="`FIELD=VALUE`: the id of a form field and its value; an archive must have each that is named. Only"
        " fields of `CELLAR_SEARCH_FIELDS`",
    )
    template: Text | None = Field(None, description="the id of a template")
    source: Text | None = Field(
        None, description="the name of the source of the first delivery; `default` for the URL without a name"
    )
    state: State | None = None
    cause: CauseCode | None = Field(None, description="the code of the cause of a failure, or of waiting")
    attention: bool | None = Field(
        None,
        description="whether a person should look: a failure, condition, warning, refused delivery or open discrepancy",
    )
    condition: ConditionCode | None = Field(
        None, description="an open condition: its last run failed, or a check found it"
    )
    discrepancy: DiscrepancyCode | None = Field(None, description="an open or explained discrepancy")
    standing: Standing | None = Field(None, description="the standing of a payment")
    filename: Text | None = Field(None, description="the name of a file, whole, in any case")
    signer: Text | None = Field(None, description="the name of a signer or a recipient, whole, in any case")
    warning: WarningCode | None = Field(None, description="the code of a warning")
    verdict: Outcome | None = Field(None, description="the newest verdict on the signed document")
    received_after: Moment | None = Field(None, description="arrived after a time")
    received_before: Moment | None = Field(None, description="arrived before a time")
    due: DueAction | None = Field(None, description="what is due since its retention has ended; never of held archives")
    held: bool | None = Field(None, description="whether a legal hold is in force")
    q: Text | None = Field(
        None,
        description="words, each a part of a reference, number, name, label or file name; a word of one or two"
        " characters begins it. What stands in quotation marks counts as a whole",
    )


class ArchiveQuery(PageQuery, ArchiveFilter):
    """A page of the archives that match the filters."""


class Sort(StrEnum):
    """The order of a list: newest first, largest payment first, or nearest deadline of what is missing first."""

    ARRIVAL = "arrival"
    AMOUNT = "amount"
    DEADLINE = "deadline"


class ListQuery(ArchiveQuery):
    """A page of the console's list. Only the newest 10,000 matches are sorted by anything else than arrival."""

    sort: Sort = Sort.ARRIVAL


class FacetValue(BaseModel):
    """A value of a facet: the words for it, what a search for it says, and how many archives have it."""

    value: str
    names: Names = Names()
    sent: str
    archives: int


class FacetGroup(BaseModel):
    """The most frequent values of a filter; of a label or a field, by its key or id `name` and what people call it."""

    filter: str
    name: str = ""
    names: Names = Names()
    values: list[FacetValue]


class FacetCounts(BaseModel):
    """How many of the newest `counted` matches have which values. `is_all`: no match is older than those."""

    groups: list[FacetGroup]
    counted: int
    is_all: bool


class CauseView(BaseModel):
    """Why an archive failed or waits. `task`: null before the first task. `since`: the time of the failure, or the time
    since when the archive waits. `values` say by code what the sentence says in English.
    """

    code: str
    task: str | None
    error_class: str
    sentence: str
    values: dict[str, Any]
    attempt: int
    since: datetime

    @classmethod
    def of(cls, found: CauseColumns) -> "CauseView | None":
        """Return a cause from its columns; None if there is none."""
        if found.cause_code is None or found.cause_error is None or found.cause_sentence is None:
            return None
        members = {name.removeprefix("cause_"): getattr(found, name) for name in CauseColumns.model_fields}
        told = {"sentence": found.told().as_json()}
        return cls.model_validate(members | {"error_class": found.cause_error, "values": told})


class ConditionView(BaseModel):
    """What is wrong now with an archive, although it may be complete. `count`: findings, or failed runs in a row.

    `values`: of `RUN_FAILED` the `cause`, the `task` and, by code, the `sentence`; of all others the first `files`, and
    whether a `quick` check found it.
    """

    code: ConditionCode
    since: datetime
    found_at: datetime
    count: int
    values: dict[str, Any]


class _About(BaseModel):
    reference: str
    title: TitleView = Field(description="What people recognise it by; personal.")
    state: str
    template_id: str | None
    process_number: int | None
    source: str
    received_at: datetime
    completed_at: datetime | None
    cause: CauseView | None
    due_action: DueAction | None = Field(None, description="What is due from `due_at` on; null: the archive is kept.")
    due_at: datetime | None = None
    held: bool = Field(False, description="A legal hold is in force: the archive is not due, and cannot be erased.")


class ArchiveSummary(_About):
    """An archive in a list."""

    conditions: list[ConditionCode]
    files: int
    warnings: int
    discrepancies: int


class SetAside(BaseModel):
    """That the source `other` has sent a process of the source `owner`: what it sent waits for a person."""

    reference: str
    owner: str
    other: str
    received_at: datetime


class ArchivePage(Page[ArchiveSummary]):
    """A page of archives, newest first. `next` is the cursor of the following page.

    `not_indexed`: archives that filters may miss, until workers have indexed them after an upgrade or a change of
    settings.
    `set_aside`: on the first page of a clerk of a source, what this source sent of a process of another, and the other
    way round. Other roles read it among the refused deliveries.
    """

    not_indexed: int = 0
    set_aside: list[SetAside] = Field([])


class Unmasking(RequestBody):
    """Which masked value a viewer wants, and why: `fields[3].value`, `sessions[0].recipient.name`."""

    place: Text = Field(max_length=500, description="list, number from 0, member, and the member's own member if any")
    why: Statement = Field(max_length=255)


class Unmasked(BaseModel):
    """A value that is masked for viewers otherwise."""

    place: str
    value: JsonValue


class VersionView(BaseModel):
    """A version. `is_set_aside`: another source than that of the process has sent it, and nobody has accepted it.
    `is_from_future`: its `event.timestamp` is more than a day after its arrival. `content_root`: the root over its
    parts, which `check.py` of a bag computes.
    """

    version: int
    receipt_id: str
    received_at: datetime
    is_set_aside: bool = False
    is_from_future: bool = False
    content_root: str | None = None


class DeliveryView(BaseModel):
    receipt_id: str
    received_at: datetime
    outcome: str
    source: str


class FileView(BaseModel):
    """A file. `looks_like`: the media type that its first bytes show. `infection`: what ClamAV found at its arrival;
    null if ClamAV found nothing, if no daemon is set, or if the file is too large (`FILE_NOT_SCANNED`).
    """

    role: str
    element_id: str | None
    filename: str | None
    media_type: str | None
    size_bytes: int
    sha256: str
    looks_like: str | None
    infection: str | None


class IntegrationView(BaseModel):
    id: str | None
    type: str | None
    status: str | None
    executed_at: datetime | None
    error: Any


class SessionView(BaseModel):
    id: str | None
    author: str | None
    process_number: int | None
    transaction_number: int | None
    template_id: str | None
    recipient: dict[str, Any]
    submission_details: dict[str, Any]
    labels: dict[str, str]
    created_at: datetime | None
    submitted_at: datetime | None
    integrations: list[IntegrationView]


class ListedSession(SessionView):
    """A session with the first 200 of its labels and integrations, beside their numbers."""

    labels_total: int
    integrations_total: int


class SignatureView(BaseModel):
    id: str | None
    signed_at: datetime | None
    signed_by: dict[str, str | None]
    labels: dict[str, Any]


class FieldView(BaseModel):
    id: str | None
    value: Any
    type: str | None
    visible: bool | None
    page: int | None
    top: float | None
    left: float | None
    width: float | None
    height: float | None
    latitude: float | None
    longitude: float | None
    meta: dict[str, Any]

    @property
    def place(self) -> tuple[float, ...] | None:
        """Page from 1, left, top, width, height, in hundredths of the page; None if it is not seen on a page."""
        place = self.page, self.left, self.top, self.width, self.height
        if None in place or self.visible is False:
            return None
        page, left, top, width, height = (float(each or 0) for each in place)
        is_on_page = 0 <= left <= 100 and 0 <= top <= 100 and 0 < width <= 100 and 0 <= height <= 100
        return (int(page) + 1, left, top, width, height) if is_on_page and page >= 0 else None


class WarningView(BaseModel):
    """A warning. `detail` says in English what its code and values say in every language."""

    code: str
    where: str
    detail: str
    values: dict[str, Any]


class JudgementView(BaseModel):
    """A judgement on the signed document that was made after its arrival. `roots`: the digest of the trust roots.
    `cellar`, `pyhanko`: the versions of the programs that judged.
    """

    number: int
    at: datetime
    outcome: Outcome
    trusted: bool | None
    roots: str
    cellar: str
    pyhanko: str
    is_newest: bool
    verdict: Verdict


class NotificationView(BaseModel):
    endpoint: str
    event: str
    state: str
    attempts: int


class RunView(BaseModel):
    flow_run_id: str
    attempt: int
    state: str
    trigger: str
    failed_task: str | None
    cause: CauseView | None
    started_at: datetime
    ended_at: datetime | None
    url: str | None
    """The page of the run in Prefect; null once Prefect has removed the run."""


class RerunStarted(BaseModel):
    """The flow run that was started, or the run that was already on its way.

    Null and AwaitingRetry while Prefect is away: the run will start when Prefect is back.
    """

    reference: str
    flow_run_id: str | None
    state: str
    url: str | None


class TimelineKind(StrEnum):
    """What an entry of a timeline is about. `event`: a session event of Cellosign. `action`: a person did it."""

    DELIVERY = "delivery"
    VERSION = "version"
    RUN = "run"
    FINDING = "finding"
    MESSAGE = "message"
    ACTION = "action"
    EVENT = "event"


class TimelineEntry(BaseModel):
    """Something that happened to a process. `by`: the person who did it, or null. `id`: of the row that it is from.

    `what` says it in English; `code` and `values` say it for every language.
    """

    at: datetime
    kind: TimelineKind
    what: str
    code: str
    values: dict[str, Any]
    by: str | None
    id: str


Activity = Literal["arrived", "completed", "failed", "acted"]
"""What happens now. `failed`: a run failed, or a delivery was refused. `acted`: a person did it."""


class ActivityEntry(TimelineEntry):
    """An entry of the timelines of all archives. `reference`: of the archive, if there is one."""

    reference: str | None


_OBJECT = WithJsonSchema({"type": "object", "additionalProperties": True})


class ArchiveItems(Page[Annotated[SerializeAsAny[BaseModel], _OBJECT]]):
    """A page of a list of one archive. Its items are those of the archive's own list. `next` is the cursor of the
    following page.
    """


class ArchiveView(_About):
    """An archive with the first 200 items of each of its lists, beside their total number. `next`: the cursors of the
    lists that have more items, by name.
    """

    conditions: list[ConditionView]
    checked_at: datetime | None
    """When a check last read the archive in the store; null if none has."""
    anchored_at: datetime | None
    """The time of the newest anchor that has the archive; null if none is known."""
    versions: list[VersionView]
    deliveries: list[DeliveryView]
    refused: list[RefusedView]
    """The deliveries that named the process and were refused."""
    missing: list[MissingView]
    """The open findings that something of the process was submitted after this archive and is missing."""
    files: list[FileView]
    sessions: list[ListedSession]
    signatures: list[SignatureView]
    fields: list[FieldView]
    warnings: list[WarningView]
    payments: list[PaymentView]
    discrepancies: list[DiscrepancyView]
    """Discrepancies that are not closed."""
    closed_discrepancies: list[DiscrepancyView]
    signed_document_verdict: Verdict | None
    """The verdict at arrival."""
    judgements: list[JudgementView]
    """The later judgements on the signed document, oldest first. Warnings follow the newest of them."""
    notifications: list[NotificationView]
    timeline: list[TimelineEntry]
    """The last 500 entries, oldest first."""
    holds: list[HoldView] = []
    """The legal holds of the archive, also holds that are no longer in force."""
    runs: list[RunView]
    conditions_total: int = 0
    versions_total: int = 0
    deliveries_total: int = 0
    refused_total: int = 0
    missing_total: int = 0
    files_total: int = 0
    sessions_total: int = 0
    signatures_total: int = 0
    fields_total: int = 0
    warnings_total: int = 0
    payments_total: int = 0
    discrepancies_total: int = 0
    closed_discrepancies_total: int = 0
    judgements_total: int = 0
    notifications_total: int = 0
    timeline_total: int = 0
    holds_total: int = 0
    runs_total: int = 0
    next: dict[str, str] = {}

    @property
    def is_damaged(self) -> bool:
        """Whether a check has found that the store does not hold what was written."""
        return any(each.code in OF_FILES for each in self.conditions)

    @property
    def people(self) -> list[str | None]:
        """Who signed, as Cellosign says."""
        return [each.signed_by.get("name") for each in self.signatures]

    def is_since_completion(self, at: datetime | None) -> bool:
        """Return whether what was done at a time was done to the last version, once it was complete."""
        return at is not None and self.completed_at is not None and at >= self.completed_at


class ValuesView(BaseModel):
    """A member's value in each of two versions, or null if a version has no value."""

    before: JsonValue
    after: JsonValue


class DifferenceView(BaseModel):
    """A thing that only one version has, or that differs. `withheld` names members that differ and are not shown."""

    kind: str
    key: str
    change: str
    members: dict[str, ValuesView]
    withheld: tuple[str, ...]
