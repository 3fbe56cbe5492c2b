"""The format of Cellosign's list of processes: the headings of its columns, and the words of its statuses."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid", strict=False)


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Word = Annotated[str, Field(min_length=1)]
Words = Annotated[tuple[Word, ...], BeforeValidator(_several)]


@dataclass(frozen=True, config=_STRICT)
class ListColumns:
    """The possible headings of each column; the first that the list has counts.

    `#`, `Created` and `Project` stand in Cellosign's export. All other headings are inferred.
    """

    process_number: Words = ("Process number", "Process #", "Process No.", "מספר תהליך", "מס' תהליך", "#")
    transaction_number: Words = ("Transaction number", "Transaction #", "Transaction No.", "מספר עסקה", "מס' עסקה")
    created: Words = ("Created", "Created at", "Created on", "נוצר", "נוצר בתאריך", "תאריך יצירה")
    ended: Words = ("Completed", "Completed at", "Ended", "Finished", "הושלם בתאריך", "תאריך סיום")
    status: Words = ("Status", "State", "סטטוס", "מצב")
    project: Words = ("Project", "פרויקט")


@dataclass(frozen=True, config=_STRICT)
class ListStatuses:
    """The words of the column `status`. Case is ignored. All of them are inferred."""

    succeeded: Words = ("success", "succeeded", "completed", "finished", "signed", "done", "הושלם", "הסתיים", "נחתם")
    failed: Words = (
        *("failure", "failed", "expired", "deleted", "canceled", "cancelled", "rejected", "declined", "error"),
        *("נכשל", "פג תוקף", "נמחק", "בוטל", "נדחה"),
    )
    open: Words = (
        *("open", "active", "created", "new", "sent", "pending", "in progress", "in process", "opened", "viewed"),
        *("פתוח", "פעיל", "נוצר", "חדש", "נשלח", "ממתין", "בתהליך", "נפתח"),
    )


@dataclass(frozen=True, config=_STRICT)
class ListFormat:
    """The format of a list. `timezone` None means that of the source.

    `projects` names the source of each project. Without it, the list stands for the wanted source or for all.
    """

    columns: ListColumns = Field(default_factory=ListColumns)
    statuses: ListStatuses = Field(default_factory=ListStatuses)
    projects: Mapping[Word, Word] = Field(default_factory=dict)
    timezone: str | None = None
    day_first: bool = True
    tolerance_s: Annotated[float, Field(ge=0)] = 300
    encoding: Literal["utf-8", "utf-16", "windows-1255"] | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
