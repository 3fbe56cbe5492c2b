"""The advice about each finding ends it: faults of the store, discrepancies, warnings, refused bodies, notices."""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.tables.open_conditions import open_numbers
from adapters.tables.people import notices
from adapters.tables.runs import receipts, runs
from cli.custody.verify import _advice
from domain.people.letters import Places, words
from domain.people.notices import Word, opened
from domain.words.causes import REFUSALS
from models.archive.archive import State, WarningCode
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.errors import RefusalCode, Refused, System
from models.messages.notification import EndpointRow, NotificationRow, NotificationState
from models.people import NoticeKind
from models.runs.receipt import Cause, RunState
from models.said import verbatim
from models.store.condition import DerivedCode
from models.store.fixity import Fault
from services.completeness.finding_missing import find_missing
from services.messages import endpoints
from services.payments.discrepancies import reconcile_many
from services.people.letters import look, report_refusing, report_unverified
from services.triggering.refused import restore_refused
from tests.advice.following import followed, ran
from tests.cli.archives.test_quarantine_command import quarantined
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.domain.archive.test_reading import FIRES
from tests.domain.payloads import changed
from tests.flows.conftest import received
from tests.installations import archive_of, archived, damaged_file
from tests.records import put, run_row
from tests.reported_events import SUBMITTED, archived_at, event, reported
from tests.samples import sample_body, sample_document

R = "process-1"
BODY = sample_body(R, signed_document=None)
NOW = datetime.now(UTC)
Mend = Callable[[], object]


@pytest.fixture(autouse=True)
def _installation(sqlite_installation: Settings) -> None:
    assert sqlite_installation


def store() -> Path:
    return Path(settings().store_location)


# faults that `cellar verify` finds


def damaged(copy: Path) -> Mend:
    key = damaged_file(R)
    return lambda: shutil.copy(copy / key, store() / key)


def missing(copy: Path) -> Mend:
    key = damaged_file(R)
    (store() / key).unlink()
    return lambda: shutil.copy(copy / key, store() / key)


def extra(_copy: Path) -> Mend:
    path = store() / ocfl.object_key(R) / "v1" / "content" / "of somebody"
    path.touch()
    return path.unlink


def unreadable(copy: Path) -> Mend:
    key = damaged_file(R)
    (store() / key).unlink()
    (store() / key).symlink_to(copy / key)

    def _restored() -> None:
        (store() / key).unlink()
        shutil.copy(copy / key, store() / key)

    return _restored


def differs(_copy: Path) -> Mend:
    with closing(sqlite3.connect(settings().database_location.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE form_field SET page = 99")
    return lambda: None


def interrupted(_copy: Path) -> Mend:
    """A run was killed before it kept the history of its receipt. The next run does; until then the store is sound."""
    again = received(R, BODY)
    (store() / ocfl.object_key(R) / history.path_of(again.receipt_id)).unlink()
    return lambda: ran(R)


def absent(copy: Path) -> Mend:
    """The disk of the store is not mounted."""
    away = copy.parent / "away"
    store().rename(away)
    return lambda: away.rename(store())


FAULTS = {
    Fault.ABSENT: absent,
    Fault.DAMAGED: damaged,
    Fault.MISSING: missing,
    Fault.EXTRA: extra,
    Fault.UNREADABLE: unreadable,
    Fault.DIFFERS: differs,
    Fault.INTERRUPTED: interrupted,
}


@pytest.mark.parametrize("fault", sorted({*Fault} - {Fault.STALE}))
def test_advice_of_verify_makes_the_store_sound(cellar: Cellar, tmp_path: Path, fault: Fault) -> None:
    archived(R, BODY)
    shutil.copytree(store(), tmp_path / "copy")
    mend = FAULTS[fault](tmp_path / "copy")
    found = cellar("verify")
    assert (found.status, f"{fault}: " in found.output) == (int(fault is not Fault.INTERRUPTED), True)
    advice = re.findall(r"^→ (.*)$", found.output, re.MULTILINE)
    assert [f"{fault}: {to_do}" for to_do in _advice([fault])] == advice

    mend()
    for each in advice:
        followed(cellar, each.partition(". Lost receipts")[0], REFERENCE=R)

    assert (cellar("verify").status, cellar("verify").output.count("→")) == (0, 0)


def test_stale_rows_are_read_again_as_verify_says(cellar: Cellar, configure: Configure) -> None:
    archived(R, BODY)
    configure(timezone="Asia/Jerusalem")
    found = cellar("verify")
    [to_do] = _advice([Fault.STALE])
    assert (found.status, f"→ stale: {to_do}" in found.output) == (1, True)

    followed(cellar, to_do.partition(". Very many")[0], REFERENCE=R)

    assert cellar("verify").status == 0


@pytest.mark.parametrize("fault", [Fault.DAMAGED, Fault.MISSING])
def test_new_delivery_repairs_its_archive_as_verify_says(cellar: Cellar, tmp_path: Path, fault: Fault) -> None:
    archived(R, BODY)
    shutil.copytree(store(), tmp_path / "copy")
    FAULTS[fault](tmp_path / "copy")
    assert "let Cellosign send the archive again" in cellar("verify").output

    archived(R, BODY)

    assert cellar("verify").status == 0


def test_lost_receipts_come_back_by_a_rebuild_into_an_empty_database(cellar: Cellar, configure: Configure) -> None:
    archived(R, BODY)
    database = Path(settings().database_location.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("DELETE FROM delivery")
        opened.execute("DELETE FROM receipt")
    assert cellar("verify").status == 1
    assert "`cellar rebuild` alone, into an empty database" in cellar("verify").output

    configure()  # closes the database
    for each in database.parent.glob(f"{database.name}*"):
        each.unlink()
    assert [cellar(each).status for each in ("migrate", "rebuild", "verify")] == [0, 0, 0]


# discrepancies


def test_advice_about_each_discrepancy_ends_it(cellar: Cellar) -> None:
    """What is done at the provider or in Cellosign shows in the next payload or report, which closes it."""
    archived(R, BODY)
    for code in DiscrepancyCode:
        reconcile_many({R: [Discrepancy(code, None, "what was expected", "what was found")]}, [code], NOW)
        assert code in open_codes()
        if "explain" in code.meaning.to_do:
            assert cellar("explain", R, code, "--why", "looked up at the provider").status == 0
        else:
            reconcile_many({R: []}, [code], NOW)
        assert code not in open_codes()


def test_wrong_unit_of_amounts_ends_with_the_right_setting(configure: Configure) -> None:
    document = sample_document() | {"reference": R}
    document["payments"][0]["amount"] = 21
    archived(R, json.dumps(document).encode())
    assert DiscrepancyCode.UNIT_MISMATCH in open_codes()
    assert DiscrepancyCode.UNIT_MISMATCH.meaning.to_do == "Correct the setting, then run the archive again."

    configure(amount_unit="major")
    ran(R)

    assert DiscrepancyCode.UNIT_MISMATCH not in open_codes()


def open_codes() -> list[str]:
    found = archive_of(R)
    return [each.code for each in found.discrepancies if each.state == "open"]


# warnings

PAYLOADS: dict[str, Any] = {code: changed(path, value) for code, path, value, _ in FIRES if path != "reference"}
WITHOUT_END = {
    WarningCode.DUPLICATE_KEY: "it asks for nothing",
    WarningCode.TEXT_REPLACED: "it asks for nothing",
    WarningCode.MORE_WARNINGS: "it asks for a look at the request as it was sent",
    WarningCode.SOURCES_DIFFER: "it ends with the acceptance that it asks for, as `test_ownership.py` tries",
    WarningCode.VERSION_AHEAD: "it ends with the sending that it asks for, as `test_ownership.py` tries",
    WarningCode.VERSION_FROM_FUTURE: "it tells why the latest time is not current, also after a later version",
    WarningCode.VERSION_REPEATS: "it ends with a version that says something new, as `test_ownership.py` tries",
    WarningCode.FILE_INFECTED: "it asks to leave the file closed, which stays as it is",
    WarningCode.FILE_NOT_SCANNED: "it asks for a scan before the file is opened",
}
"""Facts about what was received: the advice is what to do with it."""
ABOUT_DOCUMENTS = {each for each in WarningCode if each.startswith("SIGNED_DOCUMENT_")}
"""Of documents, which `tests/flows/test_signed_documents.py` and `tests/services/custody` judge, and judge again by
other trust roots. Another document ends each."""


def test_every_warning_has_its_situation() -> None:
    assert set(WarningCode) == {*PAYLOADS, *WITHOUT_END, *ABOUT_DOCUMENTS, WarningCode.SECRETS_LOCKED}


@pytest.mark.parametrize("code", sorted(PAYLOADS.keys() - WITHOUT_END.keys()))
def test_warning_ends_when_cellosign_sends_the_archive_without_its_cause(code: str) -> None:
    later = {"type": "WHP_ARCHIVE", "timestamp": "2026-11-01T00:00:00"}
    document = PAYLOADS[code] if code == "TIMESTAMP_UNREADABLE" else {**PAYLOADS[code], "event": later}
    archived(R, json.dumps(document | {"reference": R}).encode())
    assert code in warnings()

    archived(R, sample_body(R, event=later | {"timestamp": "2026-11-02T00:00:00"}))

    assert code not in warnings()


def warnings() -> list[str]:
    found = archive_of(R)
    return [each.code for each in found.warnings]


# refused bodies

BODIES: dict[str, bytes] = {
    "BAD_REFERENCE": sample_body(R).replace(f'"reference": "{R}"'.encode(), b'"reference": 5'),
    "EMPTY_BODY": b"",
    "EVENT_MISSING": json.dumps({**sample_document(), "reference": R} | {"event": {}}).encode(),
    "NOT_AN_OBJECT": b"[]",
    "NOT_BASE64": json.dumps(sample_document() | {"reference": R, "signed_document": {"content": "!"}}).encode(),
    "NOT_JSON": b"nonsense",
    "NOT_UTF8": b'{"reference": "\xff"}',
    "REFERENCE_MISSING": json.dumps({k: v for k, v in sample_document().items() if k != "reference"}).encode(),
    "SESSIONS_MISSING": json.dumps({k: v for k, v in sample_document().items() if k != "sessions"}).encode(),
    "TOO_DEEP": b"[" * 1000 + b"]" * 1000,
    "TRUNCATED": BODY[:-10],
}
"""Bodies that a check refuses each time."""
OF_REQUESTS = {
    *("COMPRESSED", "FORM_FIELD_CHANGED", "SESSION_MISSING", "SKELETON_TOO_LARGE", "TOO_LARGE", "TOO_MANY_FILES"),
    *("TOO_MANY_VALUES", "UNKNOWN_EVENT", "WRONG_EVENT"),
}
"""Of headers, settings, session events and large bodies. `tests/api/receiver` sends each."""


def test_every_refusal_has_its_body() -> None:
    assert set(get_args(RefusalCode)) == BODIES.keys() | OF_REQUESTS
    assert [each for each in get_args(RefusalCode) if not REFUSALS[each].to_do] == []


@pytest.mark.parametrize("code", get_args(RefusalCode))
def test_refused_body_is_ended_by_a_person_as_the_letter_says(cellar: Cellar, code: RefusalCode) -> None:
    receipt_id = quarantined(BODIES.get(code, f"of {code}".encode()), Refused(code, "a detail"), NOW)
    if code in BODIES:  # the body is what gives the code: another check says the same
        (again,) = json.loads(cellar("quarantine", "release", receipt_id, "--json").output)
        assert (again["released"], again["code"]) == (False, code)
    restore_refused()
    assert open_numbers(DerivedCode.DELIVERY_REFUSED) == {code: 1}
    letter = letter_about(NoticeKind.DELIVERIES_REFUSED)

    followed(cellar, letter, RECEIPT=receipt_id, WHY="a scanner")

    restore_refused()
    assert open_numbers(DerivedCode.DELIVERY_REFUSED) == {}


# letters to people


def failed(_cellar: Cellar) -> Mend:
    receipts.set_failed(
        received(R, BODY).receipt_id, Cause("CANCELLED", None, "Cancelled", verbatim("a person cancelled the run")), NOW
    )
    return lambda: None


def away(_cellar: Cellar) -> Mend:
    receipt_id = received(R, BODY).receipt_id

    def _begun(attempt: int) -> None:
        run = run_row("run", receipt_id, attempt=attempt, reference=R, started_at=NOW)  # fmt: skip
        runs.begin(run)

    def _next_attempt() -> None:
        _begun(2)
        ran(R)
        runs.end("run", 2, RunState.COMPLETED, State.COMPLETED, NOW)

    _begun(1)
    runs.wait(
        "run", 1, System.STORE, NOW, Cause("STORE_AWAY", "persist-files", "Transient", verbatim("the store is away"))
    )
    return _next_attempt


def store_damaged(cellar: Cellar) -> Mend:
    archived(R, BODY)
    damaged_file(R)
    cellar("verify")
    return lambda: archived(R, BODY)


def runs_failed(_cellar: Cellar) -> Mend:
    archived(R, BODY)
    key = f"{ocfl.object_key(R)}/inventory.json"
    kept = (store() / key).read_bytes()
    (store() / key).write_bytes(b"damaged")
    assert ran(R)

    def _restored() -> None:
        (store() / key).write_bytes(kept)
        assert ran(R) is None

    return _restored


def deliveries_refused(_cellar: Cellar) -> Mend:
    quarantined(b"nonsense", Refused("NOT_JSON", "no JSON"), NOW)
    restore_refused()
    return lambda: None


def processes_missing(_cellar: Cellar) -> Mend:
    reported(event(SUBMITTED, NOW - timedelta(hours=30.5), R))
    find_missing(NOW)

    def _sent_again() -> None:
        archived_at(NOW, R)
        find_missing(NOW)

    return _sent_again


def endpoint(**members: Any) -> Callable[[Cellar], Mend]:
    def _there(_cellar: Cellar) -> Mend:
        put(EndpointRow(name="erp", url="https://erp.example", created_at=NOW, **members))

        def _is_well() -> None:
            endpoints.disable("erp", "its operator", NOW)
            endpoints.enable("erp", "its operator", NOW)

        return _is_well if "failing_since" in members else lambda: None

    return _there


def messages_dead(cellar: Cellar) -> Mend:
    endpoint()(cellar)
    put(
        NotificationRow(
            message_id="m",
            reference=R,
            receipt_id="1",
            endpoint="https://erp.example",
            endpoint_name="erp",
            event="archive.completed",
            state=NotificationState.DEAD,
            planned_at=NOW,
            skipped_why="not in time",
        )
    )
    return lambda: None


NOTICES: dict[NoticeKind, Callable[[Cellar], Mend]] = {
    NoticeKind.ARCHIVES_FAILED: failed,
    NoticeKind.SYSTEM_AWAY: away,
    NoticeKind.RUNS_FAILED: runs_failed,
    NoticeKind.STORE_DAMAGED: store_damaged,
    NoticeKind.PROCESSES_MISSING: processes_missing,
    NoticeKind.ENDPOINT_FAILING: endpoint(failing_since=NOW),
    NoticeKind.ENDPOINT_DISABLED: endpoint(disabled_at=NOW),
    NoticeKind.MESSAGES_DEAD: messages_dead,
}
OF_TIME = {
    NoticeKind.DELIVERIES_REFUSED: "it ends two hours after the last; what it says ends the refused bodies, above",
    NoticeKind.RECEIVER_REFUSING: "it ends two hours after the last report",
    NoticeKind.STORE_UNVERIFIED: "it ends with the next check that comes to its end, of the flow",
    NoticeKind.CONDITION: "its advice is that of its condition",
}


def letter_about(kind: NoticeKind) -> str:
    (seen,) = [each for each in look({}, datetime.now(UTC)) if each.kind is kind]
    return words(opened(seen, "n"), Word.FIRST, Places("https://cellar", "https://prefect"), NOW).text


def test_every_notice_has_its_situation() -> None:
    assert set(NoticeKind) == NOTICES.keys() | OF_TIME.keys()


@pytest.mark.parametrize("kind", NOTICES)
def test_advice_of_a_letter_ends_what_it_is_about(cellar: Cellar, kind: NoticeKind) -> None:
    mend = NOTICES[kind](cellar)
    letter = letter_about(kind)

    mend()
    followed(cellar, letter, REFERENCE=R)

    assert [each.kind for each in look({}, datetime.now(UTC)) if each.kind is kind and each.count] == []


@pytest.mark.parametrize("kind", [NoticeKind.RECEIVER_REFUSING, NoticeKind.STORE_UNVERIFIED])
def test_commands_of_a_letter_about_what_ends_by_itself_are_run(cellar: Cellar, kind: NoticeKind) -> None:
    if kind is NoticeKind.RECEIVER_REFUSING:
        report_refusing({"UNAVAILABLE": 3}, NOW)
    else:
        report_unverified(NOW)
    (notice,) = notices.open_notices()

    letter = words(notice, Word.FIRST, Places("https://cellar", "https://prefect"), NOW).text

    assert followed(cellar, letter).keys() == {"doctor"}
