"""The advice about each finding ends it: faults of the store, discrepancies, warnings, refused bodies."""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.tables.open_conditions import open_numbers
from cli.custody.verify import _advice
from domain.words.causes import REFUSALS
from models.archive.archive import WarningCode
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.errors import RefusalCode, Refused
from models.store.condition import DerivedCode
from models.store.fixity import Fault
from services.payments.discrepancies import reconcile_many
from services.triggering.refused import restore_refused
from tests.advice.following import followed, ran
from tests.cli.archives.test_quarantine_command import quarantined
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.domain.archive.test_reading import FIRES
from tests.domain.payloads import changed
from tests.flows.conftest import received
from tests.installations import archive_of, archived, damaged_file
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
    *("TOO_MANY_VALUES", "WRONG_EVENT"),
}
"""Of headers, settings, session events and large bodies. `tests/api/receiver` sends each."""


def test_every_refusal_has_its_body() -> None:
    assert set(get_args(RefusalCode)) == BODIES.keys() | OF_REQUESTS
    assert [each for each in get_args(RefusalCode) if not REFUSALS[each].to_do] == []


@pytest.mark.parametrize("code", get_args(RefusalCode))
def test_refused_body_is_ended_by_a_person(cellar: Cellar, code: RefusalCode) -> None:
    receipt_id = quarantined(BODIES.get(code, f"of {code}".encode()), Refused(code, "a detail"), NOW)
    if code in BODIES:  # the body is what gives the code: another check says the same
        (again,) = json.loads(cellar("quarantine", "release", receipt_id, "--json").output)
        assert (again["released"], again["code"]) == (False, code)
    restore_refused()
    assert open_numbers(DerivedCode.DELIVERY_REFUSED) == {code: 1}

    assert cellar("quarantine", "dismiss", receipt_id, "--why", "a scanner").status == 0

    restore_refused()
    assert open_numbers(DerivedCode.DELIVERY_REFUSED) == {}
