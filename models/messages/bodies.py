"""Bodies of messages: the JSON that endpoints receive. docs/events.md and docs/events/ describe them."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, create_model

from models.messages.notification import EventType

MOST_BYTES = 20_000
"""The largest body. Source: Standard Webhooks, "Payload size": under 20 KB."""


def cut(text: str, most: int = 200) -> str:
    """Return the beginning of a text. A long text ends with `…`. Pure."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


Short = Annotated[str, AfterValidator(cut)]
"""A text in a body, apart from references, addresses and sentences. Payloads may have longer texts."""
Sentence = Annotated[str, AfterValidator(partial(cut, most=800))]
"""A sentence in a body."""

Instant = Annotated[datetime, PlainSerializer(datetime.isoformat, when_used="json")]
"""A time in UTC."""

ByCode = dict[str, int]

Source = Annotated[str, Field(description="the source that sent it; `default` is the URL without a source")]
ProcessNumber = Annotated[int | None, Field(description="the number of the process")]


class Strict(BaseModel):
    """A part of a body. A member that is not described is a mistake of cellar; to receivers, schemas stay open."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(Strict):
    """A body. Each type of event narrows `type` and `data`."""

    type: EventType = Field(description="what has happened")
    timestamp: Instant = Field(description="when it happened")
    data: Any


class AboutArchive(Strict):
    """What each message about an archive says."""

    reference: str = Field(description="the process")
    receipt_id: str = Field(description="SHA-256 of the request that brought the version")
    version: int = Field(description="the version's number, from 1")
    source: Source
    template_id: Short | None = Field(description="the template of the process")
    process_number: ProcessNumber
    url: str = Field(description="the whole archive; reading it needs a token of the API")


class FoundDiscrepancy(Strict):
    """An open discrepancy of an archive."""

    code: str = Field(description="the kind of discrepancy")
    transaction_id: str | None = Field(
        description="the payment; null where a client typed something else into a payment field"
    )
    expected: Short = Field(description="what was expected")
    found: Short = Field(description="what was found")
    sentence: Sentence = Field(description="the same for people")


class Completed(AboutArchive):
    """A version of an archive is complete, and it is the current version."""

    attention: bool = Field(description="whether there are warnings or open discrepancies")
    discrepancies: list[FoundDiscrepancy] = Field(
        description="the first open discrepancies, at most 50, and as many as there is room for"
    )
    discrepancies_in_all: int = Field(description="number of open discrepancies")
    signed_document: str | None = Field(
        description="`sound`, `fields_changed`, `covered`, `changed`, `broken`, `unsigned` or `unreadable`, by the "
        "newest judgement; null without a signed document"
    )


class Changes(Strict):
    """How many things of a kind differ from the version before."""

    added: int = Field(description="number of things that only the new version has")
    removed: int = Field(description="number of things that only the version before has")
    changed: int = Field(description="number of things that differ")


class Changed(AboutArchive):
    """A new version of a known process became the current version."""

    before_version: int = Field(description="the number of the version that was current before")
    before_receipt_id: str = Field(description="the receipt of that version")
    changes: dict[str, Changes] | None = Field(
        description="what differs, by kind: `field`, `file`, `payment`, `signature` or `session`, each with the "
        "numbers `added`, `removed` and `changed`; a kind without a difference is absent; null if that version is "
        "damaged"
    )
    warnings_by_code: ByCode = Field(description="number of warnings of each code, in the new version")
    discrepancies_by_code: ByCode = Field(description="number of open discrepancies of each code, now")


class Attention(AboutArchive):
    """A person should look at an archive that is complete."""

    warnings_by_code: ByCode = Field(description="number of warnings of each code")
    discrepancies_by_code: ByCode = Field(description="number of open discrepancies of each code")
    signed_document: str | None = Field(description="as in archive.completed")


class Failed(Strict):
    """A run failed, and none is on its way: a person is needed."""

    reference: str = Field(description="the process")
    receipt_id: str = Field(description="SHA-256 of the request that could not be archived")
    source: Source
    process_number: ProcessNumber
    code: str = Field(description="the cause; it groups failures, and `/api/failures` counts them by it")
    task: str | None = Field(description="the task of the run that failed; null before the first task")
    sentence: Sentence = Field(description="what is wrong and what to do, for people")
    flow_run_id: str | None = Field(description="the run, in Prefect; null if none is known")
    attempt: int = Field(description="the number of the run's attempt, from 1")
    url: str = Field(description="the archive; reading it needs a token of the API")


class Erased(Strict):
    """An archive was erased: whoever has copies of it forgets them too."""

    reference: str | None = Field(
        description="the process to forget; null in what cellar keeps, once no endpoint waits for the message"
    )
    digest: str = Field(description="the keyed digest of the reference, by which cellar knows the erased archive")
    source: Source
    template_id: Short | None = Field(description="the template of the process")


class Missing(Strict):
    """A process was submitted or ended, its archive has not arrived, and Cellosign will delete it."""

    missing_id: str = Field(description="the finding; it is the same in each alert about the process")
    reference: str | None = Field(description="the process; null where only its numbers are known")
    process_number: ProcessNumber
    transaction_number: int | None = Field(description="the number of a session of the process")
    source: Source
    why: str = Field(
        description="why it should have been archived: `submitted`, `deleted`, `expired`, or `listed` by Cellosign"
    )
    since: Instant = Field(description="since when it should have been archived")
    deadline_at: Instant = Field(description="when Cellosign deletes it")
    hours_left: int = Field(description="whole hours until then")
    url: str = Field(description="all missing processes; reading them needs a token of the API")


class OpenDiscrepancy(FoundDiscrepancy):
    """An open discrepancy of an archive, or of none."""

    reference: str | None = Field(description="the archive; null where a row of a report belongs to no archive")
    discrepancy_id: str = Field(description="the discrepancy; it never changes")
    opened_at: datetime = Field(description="when it was opened last")


class Discrepancies(Strict):
    """All open discrepancies, of all archives and of no archive."""

    discrepancies: list[OpenDiscrepancy] = Field(
        description="the newest open discrepancies, newest first, at most 50, and as many as there is room for"
    )
    discrepancies_in_all: int = Field(description="number of open discrepancies")
    by_code: ByCode = Field(description="number of open discrepancies of each code")
    url: str = Field(description="all discrepancies; reading them needs a token of the API")


class Refusal(Strict):
    """A refused delivery."""

    receipt_id: str = Field(description="SHA-256 of the body")
    reference: str | None = Field(description="the process; null where the body does not show it")
    process_number: int | None = Field(description="its number; null where the body does not show it")
    code: str = Field(description="why the delivery was refused")
    where: Short = Field(description="the place in the body")
    detail: Short = Field(description="what was expected and what was found, without a value of the body")
    received_at: Instant = Field(description="when the body arrived")
    source: str = Field(description="the source that sent it")


class Refusals(Strict):
    """Deliveries that cellar refused since the last message, all in one."""

    deliveries: list[Refusal] = Field(
        description="the last delivery of each refused body, newest first, at most 20, and as many as there is room for"
    )
    deliveries_in_all: int = Field(description="number of refused deliveries in this message")
    by_code: ByCode = Field(description="number of refused deliveries of each code")
    first_at: Instant = Field(description="time of the first of them")
    last_at: Instant = Field(description="time of the last of them")
    url: str = Field(description="all refused deliveries; reading them needs a token of the API")


class JudgedDocument(Strict):
    """A signed document that is judged worse than before."""

    reference: str = Field(description="the process")
    version: int = Field(description="the version's number")
    before: str = Field(description="the judgement before, as `sound, trusted`")
    now: str = Field(description="the judgement now, as `sound, not trusted`")


class Judgements(Strict):
    """Signed documents that cellar judged again, and that are judged worse than before."""

    documents: list[JudgedDocument] = Field(
        description="the first documents, at most 50, and as many as there is room for"
    )
    documents_in_all: int = Field(description="number of documents in this message")
    contradictions: int = Field(
        description="number of facts in which a kept verdict is better than its document, which no roots explain; "
        "`cellar verify --signatures` names them"
    )
    url: str = Field(description="the archives that need attention; reading them needs a token of the API")


class Damage(Strict):
    """The scheduled check found files of the store that differ from what was written."""

    findings: int = Field(description="number of files that differ from what was written")


class Unverified(Strict):
    """The scheduled check of the store broke before its end, so the state of the store is unknown."""


class Refusing(Strict):
    """The receiver turns requests away before their body is kept, so archives may be lost."""

    requests: int = Field(description="number of requests that were turned away from `first_at` to `last_at`")
    by_code: ByCode = Field(description="number of them by the code of the answer, as `UNAUTHORIZED` and `UNAVAILABLE`")
    first_at: Instant = Field(description="time of the first of them")
    last_at: Instant = Field(description="time of the last of them")
    url: str = Field(description="says whether the receiver is ready")


class Test(Strict):
    """A person tests an endpoint. Nothing has happened."""

    endpoint: str = Field(description="the name of the endpoint")


_DATA: Mapping[EventType, type[Strict]] = {
    EventType.ARCHIVE_COMPLETED: Completed,
    EventType.ARCHIVE_CHANGED: Changed,
    EventType.ARCHIVE_ATTENTION: Attention,
    EventType.ARCHIVE_FAILED: Failed,
    EventType.ARCHIVE_ERASED: Erased,
    EventType.PROCESS_MISSING: Missing,
    EventType.PAYMENTS_DISCREPANCIES: Discrepancies,
    EventType.DELIVERY_REFUSED: Refusals,
    EventType.DOCUMENTS_JUDGED_WORSE: Judgements,
    EventType.STORE_DAMAGED: Damage,
    EventType.STORE_UNVERIFIED: Unverified,
    EventType.RECEIVER_REFUSING: Refusing,
    EventType.ENDPOINT_TEST: Test,
}


def _body(event: EventType, data: type[Strict]) -> type[Body]:
    """Return the body of an event, which is described as its data is."""
    members = {"type": (Literal[event], ...), "data": (data, ...)}
    return create_model(event, __base__=Body, __doc__=data.__doc__, **members)  # type: ignore[call-overload, no-any-return]


BODIES: Mapping[EventType, type[Body]] = {event: _body(event, data) for event, data in _DATA.items()}
"""The body of each type of event."""
