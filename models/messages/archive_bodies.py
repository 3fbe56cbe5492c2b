"""Bodies of messages about one archive, or about a process whose archive is missing."""

from pydantic import Field

from models.messages.body import (
    AboutArchive,
    AskedFields,
    ByCode,
    Instant,
    ProcessNumber,
    Sentence,
    Short,
    Source,
    Strict,
)


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
        description="`sound`, `fields_changed`, `changed`, `broken`, `unsigned` or `unreadable`, by the newest "
        "judgement; null without a signed document"
    )


class Changes(Strict):
    """How many things of a kind differ from the version before."""

    added: int = Field(description="number of things that only the new version has")
    removed: int = Field(description="number of things that only the version before has")
    changed: int = Field(description="number of things that differ")


class Changed(AboutArchive):
    """A new version of a known process is the current version."""

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
    """Why a person should look at an archive."""

    warnings_by_code: ByCode = Field(description="number of warnings of each code")
    discrepancies_by_code: ByCode = Field(description="number of open discrepancies of each code")
    signed_document: str | None = Field(description="as in archive.completed")


class Failed(Strict):
    """Why a receipt could not be archived."""

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
    fields: AskedFields = Field(default_factory=dict)


class Missing(Strict):
    """A process that should have been archived."""

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
