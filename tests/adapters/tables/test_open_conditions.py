"""What is wrong with the installation is found by its rows, on both databases, and all faces read what is found."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, update

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables import conditions
from adapters.tables.conditions import Found
from adapters.tables.open_conditions import every_label, open_conditions
from adapters.tables.runs import receipts
from domain.people.conditions import alike, condition_text
from domain.words.catalogue import in_words
from models.access import UnsentAccessRow
from models.archive.archive import ArchiveRow, State
from models.completeness.processes import MissingProcessRow
from models.discrepancies import DiscrepancyRow
from models.erasures import HoldRow, TombstoneRow
from models.messages.notification import EndpointRow, EventRow, EventType, NotificationRow
from models.people import LoginRow
from models.runs.receipt import Cause, RefusedRow, WaitingRow
from models.said import Sentence, verbatim
from models.store.condition import ConditionCode, DerivedCode, Subject
from services.views.troubles import failures
from tests.conftest import Configure
from tests.records import NOON, change, digest, put, registered

AT = [NOON + timedelta(minutes=minute) for minute in range(10)]
STORE = "the store does not take a file"


def why(task: str | None, sentence: str) -> dict[str, Any]:
    return {"task": task, "sentence": verbatim(sentence).as_json()}


def failed(reference: str, code: str, task: str | None, sentence: str, *, minute: int, source: str = "default") -> None:
    cause = Cause(code, task, "Transient", verbatim(sentence))
    receipts.set_failed(registered(reference, reference, source=source), cause, AT[minute])


def message(name: str, endpoint: str, state: str, minute: int = 0) -> NotificationRow:
    return NotificationRow(
        message_id=name, reference=name, receipt_id="r", endpoint="https://x.example", endpoint_name=endpoint,
        event="archive.completed", state=state, planned_at=AT[minute],
    )  # fmt: skip


def endpoint(name: str, **members: Any) -> EndpointRow:
    return EndpointRow(name=name, url="https://x.example", created_at=NOON, **members)


def refused(name: str, minute: int, **members: Any) -> RefusedRow:
    plain: dict[str, Any] = {"size_bytes": 1, "code": "NOT_JSON", "where": "", "detail": "no JSON"}
    plain |= {"receipt_id": digest("body")}
    return RefusedRow(delivery_id=name, received_at=AT[minute], **(plain | members))


def missing(name: str, source: str, minute: int, closed_at: datetime | None = None) -> MissingProcessRow:
    return MissingProcessRow(
        missing_id=name, source=source, why="submitted", since=NOON, deadline_at=AT[9 - minute], opened_at=AT[minute],
        closed_at=closed_at,
    )  # fmt: skip


def archives_failed() -> None:
    failed("a", "STORE_AWAY", "persist-files", "an earlier sentence", minute=1)
    failed("b", "STORE_AWAY", "persist-files", STORE, minute=3)
    failed("c", "STORE_AWAY", "load-metadata", "another task", minute=2, source="retail")
    receipts.set_state(registered("of an earlier cellar", "e", minute=5), State.FAILED, NOON)
    receipts.set_state(registered("well", "f"), State.COMPLETED, NOON)


def runs_failed() -> None:
    registered("one", "one")
    registered("two", "two", source="retail")
    with writing() as session:
        for each in ("one", "two"):
            _condition(session, ConditionCode.RUN_FAILED, each, cause="CONFLICT", **why(None, "two records"))


def damage() -> None:
    with writing() as session:
        _condition(session, ConditionCode.FILE_EXTRA, "one", files=["a"], quick=False)
        _condition(session, ConditionCode.FILE_EXTRA, "", Subject.STORE, files=["a"], quick=False)
        _condition(session, ConditionCode.NOT_AS_ANCHORED, "", Subject.STORE, files=["a"])


def time_stamps_end() -> None:
    with writing() as session:
        its = ConditionCode.TIME_STAMP_ENDS, "CELLAR_TIME_STAMP_URLS", Subject.SYSTEM
        _condition(session, *its, ends_on="2027-05-01")


def backups_fail() -> None:
    with writing() as session:
        for code in (ConditionCode.BACKUP_FAILED, ConditionCode.TOMBSTONES_UNSENT):
            _condition(session, code, "backups", Subject.SYSTEM)


def check_broke_off() -> None:
    with writing() as session:
        _condition(session, ConditionCode.STORE_UNCHECKED, "verify-archives", Subject.SYSTEM)


def requests_refused() -> None:
    """Two hours in which the receiver turned requests away, one of long ago, and what else happened."""
    for name, type_, at in (
        ("a", EventType.RECEIVER_REFUSING, NOW),
        ("b", EventType.RECEIVER_REFUSING, AN_HOUR_AGO),
        ("c", EventType.RECEIVER_REFUSING, NOW - timedelta(hours=3)),
        ("d", EventType.STORE_DAMAGED, NOW),
    ):
        put(EventRow(event_id=name, type=type_, reference="", receipt_id=name, at=at, body="{}"))


def _condition(
    session: Session, code: ConditionCode, subject: str, kind: Subject = Subject.ARCHIVE, **values: object
) -> None:
    conditions.set_within(session, kind, subject, {code: Found(2, values)}, NOON)


def waits() -> None:
    its: dict[str, Any] = {"reference": "r", "receipt_id": "r", "waits_for": "store", "attempts": 1}
    put(*(WaitingRow(flow_run_id=f"{minute}", since=AT[minute], **its) for minute in (1, 4)))


def refusals() -> None:
    put(refused("a", 1), refused("b", 2), refused("c", 3, released_at=NOON), refused("d", 4, dismissed_at=NOON))


def processes_missing() -> None:
    put(missing("m", "default", 1), missing("n", "default", 2), missing("o", "retail", 3), missing("p", "x", 1, NOON))


def discrepancies() -> None:
    plain: dict[str, Any] = {"reference": "r", "code": "AMOUNT_MISMATCH", "expected": "1", "found": "2"}
    states = ("open", "open", "explained", "closed")
    put(*(DiscrepancyRow(discrepancy_id=f"{n}", state=state, **plain) for n, state in enumerate(states)))


def endpoints() -> None:
    put(endpoint("fails", failing_since=AT[1]), endpoint("well"), endpoint("gone", failing_since=NOON, removed_at=NOON))
    put(endpoint("off", failing_since=NOON, disabled_at=AT[2], **in_words(disabled_why=Sentence.endpoint_gone())))
    put(message("p", "fails", "pending"), message("q", "well", "pending"), message("d", "fails", "delivered"))
    put(message("x", "fails", "dead", 1), message("y", "fails", "dead", 2), message("z", "gone", "dead"))


ARCHIVE, STORE_AWAY = DerivedCode.ARCHIVE_FAILED, "STORE_AWAY"
Line = tuple[str, str, str, int, int, datetime | None, datetime | None, dict[str, Any]]


def access_log_waits() -> None:
    put(*(UnsentAccessRow(chain="a", number=number, at=AT[number]) for number in (1, 2)))
    put(UnsentAccessRow(chain="a", number=3, at=datetime.now(UTC)))


def retention_ended() -> None:
    """Two archives that are due, one that is due but held, and one that is due later."""
    for minute, name in enumerate(("a", "b", "held", "later")):
        registered(name, name)
        due_at = AT[minute] if name != "later" else datetime.now(UTC) + timedelta(days=1)
        due = {"due_action": "erase", "due_at": due_at, "template_id": "lease"}
        change(update(ArchiveRow).where(col(ArchiveRow.reference) == name).values(due))
    put(HoldRow(hold_id="h", reference="held", why="a claim", by="Dana", at=NOON))


NOW = datetime.now(UTC)
AN_HOUR_AGO = NOW - timedelta(hours=1)


def erased_returned() -> None:
    """Two archives of a day, one of long ago, and one that never came again."""
    for name, returned, at in (("a", 2, AN_HOUR_AGO), ("b", 1, NOW), ("long ago", 4, AT[1]), ("c", 0, None)):
        its: dict[str, Any] = {"digest": digest(name), "batch_id": "batch", "ground": "over", "erased_at": NOON}
        its |= {"erased_by": "Dana", "confirmed_by": "Noa", "returned": returned, "last_returned_at": at}
        put(TombstoneRow(**its))


def broke_glass() -> None:
    """A login that lasts, one that has ended within a day, and those of which nobody is warned."""
    later = datetime.now(UTC)
    for name, by, ends_at in (
        ("glass", "break_glass", later + timedelta(hours=1)),
        ("glass", "break_glass", later - timedelta(hours=23)),
        ("long ago", "break_glass", later - timedelta(hours=25)),
        ("dana", "password", later + timedelta(hours=1)),
    ):
        put(
            LoginRow(
                session=digest(f"{name} {ends_at}"), person=name, role="operator", signed_in_by=by, address="",
                began_at=AT[1], seen_at=AT[1], ends_at=ends_at,
            )
        )  # fmt: skip


CASES: dict[str, tuple[Callable[[], None], list[Line]]] = {
    "archives": (
        archives_failed,
        [
            (ARCHIVE, "archive", STORE_AWAY, 2, 2, AT[1], AT[3], why("persist-files", STORE)),
            (ARCHIVE, "archive", STORE_AWAY, 1, 1, AT[2], AT[2], why("load-metadata", "another task")),
            (ARCHIVE, "archive", "UNKNOWN", 1, 1, AT[5], AT[5], {"task": None, "sentence": None}),
        ],
    ),
    "runs": (runs_failed, [("RUN_FAILED", "archive", "CONFLICT", 2, 4, NOON, NOON, why(None, "two records"))]),
    "damage": (
        damage,
        [
            ("FILE_EXTRA", "archive", "", 1, 2, NOON, NOON, {}),
            ("FILE_EXTRA", "store", "", 1, 2, NOON, NOON, {}),
            ("NOT_AS_ANCHORED", "store", "", 1, 2, NOON, NOON, {}),
        ],
    ),
    "waits": (waits, [("SYSTEM_AWAY", "system", "store", 2, 2, AT[1], AT[4], {})]),
    "refusals": (refusals, [("DELIVERY_REFUSED", "delivery", "NOT_JSON", 1, 1, AT[1], AT[2], {})]),
    "missing": (
        processes_missing,
        [
            ("PROCESS_MISSING", "process", "default", 2, 2, AT[1], AT[2], {"why": "submitted", "deadline_at": AT[7]}),
            ("PROCESS_MISSING", "process", "retail", 1, 1, AT[3], AT[3], {"why": "submitted", "deadline_at": AT[6]}),
        ],
    ),
    "discrepancies": (discrepancies, [("DISCREPANCY_OPEN", "discrepancy", "AMOUNT_MISMATCH", 2, 2, None, None, {})]),
    "break-glass": (broke_glass, [("BREAK_GLASS_USED", "system", "glass", 2, 2, AT[1], AT[1], {})]),
    "access log": (
        access_log_waits,
        [("ACCESS_LOG_UNSENT", "system", "CELLAR_ACCESS_LOG_URL", 2, 2, AT[1], AT[2], {})],
    ),
    "erased": (erased_returned, [("ERASED_RETURNED", "delivery", "batch", 2, 3, AN_HOUR_AGO, NOW, {})]),
    "time stamps": (time_stamps_end, [("TIME_STAMP_ENDS", "system", "2027-05-01", 1, 1, NOON, NOON, {})]),
    "backups": (
        backups_fail,
        [
            ("BACKUP_FAILED", "system", "backups", 1, 2, NOON, NOON, {}),
            ("TOMBSTONES_UNSENT", "system", "backups", 1, 2, NOON, NOON, {}),
        ],
    ),
    "check": (check_broke_off, [("STORE_UNCHECKED", "system", "verify-archives", 1, 2, NOON, NOON, {})]),
    "requests": (requests_refused, [("REQUESTS_REFUSED", "system", "webhook", 2, 2, AN_HOUR_AGO, NOW, {})]),
    "retention": (retention_ended, [("RETENTION_DUE", "archive", "erase", 2, 2, AT[0], AT[1], {})]),
    "endpoints": (
        endpoints,
        [
            ("ENDPOINT_FAILING", "endpoint", "fails", 1, 1, AT[1], AT[1], {}),
            ("ENDPOINT_DISABLED", "endpoint", "off", 1, 1, AT[2], AT[2], {}),
            ("MESSAGES_DEAD", "message", "fails", 2, 2, AT[1], AT[2], {}),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_conditions_are_found_by_their_rows(installation: Settings, configure: Configure, case: str) -> None:
    configure(access_log_url="file:///access.log")
    assert open_conditions() == []
    make, expected = CASES[case]
    make()

    lines: list[Line] = [
        (each.code, each.kind, each.key, each.subjects, each.count, each.first_at, each.last_at, each.values)
        for each in open_conditions()
    ]

    assert all(condition_text(each, NOON).startswith(each[0].code) for each in alike(open_conditions()).values())
    by_key = {each[:3] for each in lines}
    assert lines[0] == expected[0]
    assert sorted(lines, key=_named) == sorted(expected, key=_named)
    assert {(kind, code) for code, kind, _ in by_key} <= {(kind, code) for kind, code, _ in every_label()}
    assert {code for _, code, _ in every_label()} == {*DerivedCode, *ConditionCode}
    configure(access_log_url="")  # nobody takes the log any more
    assert "ACCESS_LOG_UNSENT" not in {each.code for each in open_conditions()}


def _named(line: Line) -> tuple[str, ...]:
    return (*line[:3], str(line[-1]))


def test_failures_are_of_one_source_and_say_the_last_sentence_of_that_source(installation: Settings) -> None:
    archives_failed()
    runs_failed()
    failed("d", "STORE_AWAY", "load-metadata", "of the default source", minute=9)

    assert [(each.condition, each.archives, each.sentence) for each in failures("retail").items] == [
        (None, 1, "another task"),
        (ConditionCode.RUN_FAILED, 1, "two records"),
    ]
    assert {each.sentence.partition(";")[0] for each in failures().items} == {
        *(STORE, "of the default source", "the archive failed before cellar kept causes", "two records")
    }
