"""Bodies of messages about many archives, the store, the receiver, or an endpoint."""

from datetime import datetime

from pydantic import Field

from models.messages.archive_bodies import FoundDiscrepancy
from models.messages.body import ByCode, Instant, Short, Strict


class OpenDiscrepancy(FoundDiscrepancy):
    """An open discrepancy of an archive, or of none."""

    reference: str | None = Field(description="the archive; null where a row of a report belongs to no archive")
    discrepancy_id: str = Field(description="the discrepancy; it never changes")
    opened_at: datetime = Field(description="when it was opened last")


class Discrepancies(Strict):
    """All open discrepancies."""

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
    """Refused deliveries of one group."""

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
    """Signed documents that are judged worse than before."""

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
    """How much of the store is damaged."""

    findings: int = Field(description="number of files that differ from what was written")


class Nothing(Strict):
    """No members."""


class Refusing(Strict):
    """How many requests the receiver turned away."""

    requests: int = Field(description="number of requests that were turned away from `first_at` to `last_at`")
    by_code: ByCode = Field(description="number of them by the code of the answer, as `UNAUTHORIZED` and `UNAVAILABLE`")
    first_at: Instant = Field(description="time of the first of them")
    last_at: Instant = Field(description="time of the last of them")
    url: str = Field(description="says whether the receiver is ready")


class Test(Strict):
    """A test of one endpoint."""

    endpoint: str = Field(description="the name of the endpoint")
