"""`cellar quarantine list`, `show`, `release` and `dismiss`."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from adapters.inbox import inbox, quarantine
from adapters.inbox.inbox import Intake
from adapters.settings.settings import Settings
from adapters.tables.runs.refused import put_into_group
from cli.options import person, shell
from domain.archive.found_process import FoundProcess
from domain.words.causes import CAUSES
from models.access import AccessRow
from models.errors import Refused
from models.runs.receipt import ACCEPTED_BY, GIVEN_BY, RefusedRow
from services.triggering.refused import list_all_refused, withdraw
from tests.cli.conftest import Cellar
from tests.installations import archived
from tests.records import all_of
from tests.samples import sample_body

TRUNCATED = Refused("TRUNCATED", "the body ends")
ME, NOT_RECORDED = person(), "not in the access log"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


REFERENCE = "f51c66ba-d33a-4c59-b63a-aa270383fb9e"


def quarantined(
    body: bytes,
    refused: Refused,
    at: datetime = NOW,
    named: FoundProcess = FoundProcess(),  # noqa: B008 -- frozen
    source: str = "default",
) -> str:
    """Put a refused body into quarantine, and return its receipt id."""
    intake = Intake()
    intake.digest(body)
    intake.write([body])
    return intake.quarantine(refused, at, named, source).receipt_id


@pytest.fixture
def sound(configure: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> str:
    """The receipt of a sound payload that was refused."""
    monkeypatch.setenv("COLUMNS", "400")
    refused = Refused("NOT_BASE64", "too strict", where="attachments[0].content")
    return quarantined(sample_body(REFERENCE), refused, named=FoundProcess(REFERENCE, 4711))


@pytest.fixture
def broken(sound: str) -> str:
    return quarantined(b'{"Marker-314159', TRUNCATED, NOW + timedelta(days=1))


def listed(cellar: Cellar, *filters: str) -> list[dict[str, Any]]:
    result = cellar("quarantine", "list", "--json", *filters)
    assert result.status == 0, result.errors
    found: list[dict[str, Any]] = json.loads(result.output)
    return found


def test_list_shows_process_and_reason_of_each_payload_the_last_refused_first(
    cellar: Cellar, sound: str, broken: str
) -> None:
    output = cellar("quarantine", "list").output

    assert output.index(broken[:10]) < output.index(sound[:10])
    shown = ("NOT_BASE64 at attachments[0].content", REFERENCE, "4711", "11-24 00:00Z")
    assert [each for each in shown if each not in output] == []
    entries = listed(cellar)
    assert [entry["receipt_id"] for entry in entries] == [broken, sound]
    assert entries[1].pop("delivery_id").startswith("20261124T000000")
    assert {name: value for name, value in entries[1].items() if value} == {
        "receipt_id": sound,
        "received_at": "2026-11-24T00:00:00+00:00",
        "size_bytes": len(sample_body(REFERENCE)),
        "code": "NOT_BASE64",
        "where": "attachments[0].content",
        "detail": "too strict",
        "reference": REFERENCE,
        "process_number": 4711,
        "source": "default",
    }


def test_payload_that_was_refused_again_is_one_line_and_several_deliveries(cellar: Cellar, broken: str) -> None:
    for minute in (1, 2):
        again = NOW + timedelta(days=1, minutes=minute)
        assert quarantined(b'{"Marker-314159', TRUNCATED, again) == broken

    output = cellar("quarantine", "list").output
    assert (output.count(broken[:10]), output.count("3 × TRUNCATED")) == (1, 1)
    times = [each["received_at"][11:16] for each in listed(cellar) if each["receipt_id"] == broken]
    assert times == ["00:02", "00:01", "00:00"]
    assert json.loads(cellar("quarantine", "show", broken, "--json").output)["deliveries"] == 3


def test_list_shows_sources_and_those_of_one_source(cellar: Cellar, sound: str) -> None:
    of_retail = quarantined(b"{", TRUNCATED, source="retail")

    assert "retail" in cellar("quarantine", "list").output
    for source, receipt_id in {"retail": of_retail, "default": sound}.items():
        assert [each["receipt_id"] for each in listed(cellar, "--source", source)] == [receipt_id]


def test_show_says_what_to_do_and_names_the_path_of_the_raw_body(cellar: Cellar, sound: str) -> None:
    quarantine.keep_headers(quarantine.refused()[0].delivery_id, {"user-agent": "Cellosign/7"})
    entry = json.loads(cellar("quarantine", "show", sound, "--json").output)

    assert Path(entry["body"]).read_bytes() == sample_body(REFERENCE)
    reported = cellar("quarantine", "show", sound).output
    assert entry.pop("headers") == {"user-agent": "Cellosign/7"}
    assert "Cellosign/7" in reported
    for name in ("received_at", "delivery_id", "values"):
        del entry[name]
    assert [value for value in entry.values() if value is not None and str(value) not in reported] == []
    assert reported.splitlines()[1] == f"to do           {CAUSES['NOT_BASE64'].to_do}"
    assert "–" not in reported


def test_beginning_of_an_id_is_enough_if_it_is_of_one_receipt(cellar: Cellar, sound: str, broken: str) -> None:
    assert json.loads(cellar("quarantine", "show", broken[:8], "--json").output)["receipt_id"] == broken
    for arguments in (("show", ""), ("show", "0" * 64), ("release", sound, "0" * 64)):
        result = cellar("quarantine", *arguments)
        assert (result.status, result.output, "UNKNOWN_RECEIPT" in result.errors) == (1, "", True)
    assert list(inbox.deliveries()) == []


def test_release_moves_a_sound_payload_into_the_inbox_and_keeps_its_history(cellar: Cellar, sound: str) -> None:
    result = cellar("quarantine", "release", sound)

    assert (result.status, NOT_RECORDED in result.errors) == (0, True)
    assert f"{sound}: released" in result.output
    (delivery,) = inbox.deliveries()
    assert (delivery.receipt_id, delivery.reference) == (sound, REFERENCE)
    with inbox.opened_body(sound) as body:
        assert body.read() == sample_body(REFERENCE)
    assert not quarantine.has_body(sound)
    assert listed(cellar) == []
    shown = json.loads(cellar("quarantine", "show", sound, "--json").output)
    assert (shown["code"], shown["body"], bool(shown["released_at"])) == ("NOT_BASE64", None, True)


def test_release_takes_several_and_says_what_became_of_each(cellar: Cellar, sound: str, broken: str) -> None:
    result = cellar("quarantine", "release", broken[:8], sound[:8])

    assert (result.status, NOT_RECORDED in result.errors) == (1, True)
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{broken}: still refused: TRUNCATED: at byte 15")
    assert lines[1].startswith(f"{sound}: released")
    assert "314159" not in result.output
    assert [each.receipt_id for each in inbox.deliveries()] == [sound]
    assert quarantine.has_body(broken)


def test_release_by_code_or_of_all_payloads(cellar: Cellar, sound: str, broken: str) -> None:
    assert cellar("quarantine", "release", "--code", "NOT_JSON").output == "No payload in quarantine matches.\n"
    wrong = cellar("quarantine", "release", "--code", "NOT_BASE65")
    assert (wrong.status, "did you mean NOT_BASE64?" in " ".join(wrong.errors.split())) == (2, True)
    (outcome,) = json.loads(cellar("quarantine", "release", "--code", "NOT_BASE64", "--json").output)
    (left,) = json.loads(cellar("quarantine", "release", "--all", "--json").output)

    assert outcome == {"receipt_id": sound, "released": True}
    assert {**left, "detail": ""} == {
        "receipt_id": broken, "released": False, "code": "TRUNCATED", "where": "", "detail": "",
    }  # fmt: skip


def test_second_release_changes_nothing_and_removes_a_body_that_a_killed_release_has_left(
    cellar: Cellar, sound: str
) -> None:
    cellar("quarantine", "release", sound)
    Path(quarantine.location(sound)).write_bytes(sample_body(REFERENCE))

    result = cellar("quarantine", "release", sound)

    assert result.status == 0
    assert len(list(inbox.deliveries())) == 1
    assert not quarantine.has_body(sound)


def test_body_that_is_missing_or_damaged_in_quarantine_is_not_released(cellar: Cellar, sound: str, broken: str) -> None:
    Path(quarantine.location(sound)).write_bytes(sample_body("another"))
    Path(quarantine.location(broken)).unlink()

    result = cellar("quarantine", "release", "--all")

    assert result.status == 1
    for receipt_id, code in {sound: "BODY_DAMAGED", broken: "BODY_MISSING"}.items():
        assert f"{receipt_id}: still refused: {code}" in result.output
    assert list(inbox.deliveries()) == []


@pytest.mark.usefixtures("sqlite_installation")
def test_delivery_of_another_source_is_listed_shown_and_accepted_by_name(cellar: Cellar) -> None:
    archived(REFERENCE, sample_body(REFERENCE), NOW)
    body = sample_body(REFERENCE, data=[])
    foreign = archived(REFERENCE, body, NOW + timedelta(minutes=1), source="retail")

    assert "SOURCES_DIFFER" in cellar("quarantine", "list").output
    shown = json.loads(cellar("quarantine", "show", foreign[:10], "--json").output)
    assert (shown["source"], shown["reference"], shown["code"]) == ("retail", REFERENCE, "SOURCES_DIFFER")
    assert json.loads(cellar("quarantine", "release", "--all", "--json").output) == []

    for _ in range(2):  # a delivery more does no harm
        accepted = cellar("quarantine", "release", foreign[:10], "--by", "Dana", "--json")
        assert json.loads(accepted.output) == [{"receipt_id": foreign, "released": True}]

    [delivery, _] = inbox.deliveries()
    assert (delivery.receipt_id, delivery.source, delivery.headers[ACCEPTED_BY]) == (foreign, "default", ME)
    with inbox.opened_body(foreign) as waiting:
        assert waiting.read() == body

    assert cellar("quarantine", "release", "--code", "SOURCES_DIFFER", "--give").status == 2
    assert cellar("quarantine", "release", foreign, "--give").status == 0
    given = max(inbox.deliveries(), key=lambda each: each.delivery_id)
    assert (given.receipt_id, given.source, given.headers[GIVEN_BY]) == (foreign, "retail", ME)
    last = all_of(select(AccessRow))[-1]
    assert (last.person, last.action, "give" in last.detail["searched"]) == (shell().name, "release", True)


@pytest.mark.usefixtures("sqlite_installation")
def test_delivery_of_another_source_is_dismissed(cellar: Cellar) -> None:
    archived(REFERENCE, sample_body(REFERENCE), NOW)
    foreign = archived(REFERENCE, sample_body(REFERENCE, data=[]), NOW + timedelta(minutes=1), source="retail")

    assert f"dismissed by {ME}" in cellar("quarantine", "dismiss", foreign, "--why", "theirs", "--by", "Dana").output
    asyncio.run(list_all_refused())  # as the sweep does

    assert listed(cellar) == []
    for each in quarantine.refused():
        assert (each.receipt_id, each.dismissed_by, each.dismissed_why) == (foreign, ME, "theirs")
        assert withdraw(ME, each.dismissed_at or NOW, datetime.now(UTC)) == 1

    assert [each["code"] for each in listed(cellar)] == ["SOURCES_DIFFER"]
    assert json.loads(cellar("quarantine", "release", "--all", "--json").output) == []
    put_into_group("a group", datetime.now(UTC))
    assert [each.message for each in all_of(select(RefusedRow))] == [None]


@pytest.mark.parametrize("command", ["list", "show"])
def test_without_a_database_it_is_said_that_what_is_set_aside_is_missing(cellar: Cellar, command: str) -> None:
    result = cellar("quarantine", command, *(["0123456789"] if command == "show" else []))

    assert "What is set aside is not shown" in result.errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["release"],
        ["release", "--all", "--code", "X"],
        ["release", "0", "--all"],
        ["dismiss", "--all", "--why", " "],
        ["dismiss", "--all", "--why", "x" * 10_001],
    ],
)
def test_wrong_use_exits_with_2_and_changes_nothing(cellar: Cellar, sound: str, arguments: list[str]) -> None:
    assert cellar("quarantine", *arguments).status == 2
    assert quarantine.has_body(sound)
    assert [each.dismissed_at for each in quarantine.refused()] == [None]


def test_dismissed_payload_is_no_longer_listed_and_its_record_says_who_and_why(
    cellar: Cellar, sound: str, broken: str
) -> None:
    said = cellar("quarantine", "dismiss", broken[:10], "--why", "a scanner", "--by", "Dana")
    again = cellar("quarantine", "dismiss", broken, "--why", "another reason", "--by", "Noa")

    assert said.output == f"{broken}: dismissed by {ME}: a scanner\n"
    assert again.output == "No payload in quarantine matches.\n"
    assert [each["receipt_id"] for each in listed(cellar)] == [sound]
    shown = json.loads(cellar("quarantine", "show", broken, "--json").output)
    assert (shown["dismissed_by"], shown["dismissed_why"]) == (ME, "a scanner")
    assert quarantine.has_body(broken)


def test_payload_that_is_refused_again_after_its_dismissal_is_listed_again(
    cellar: Cellar, sound: str, broken: str
) -> None:
    said = cellar("quarantine", "dismiss", "--code", "TRUNCATED", "--why", "a scanner", "--json")
    assert [each["receipt_id"] for each in json.loads(said.output)] == [broken]

    quarantined(b'{"Marker-314159', TRUNCATED, NOW + timedelta(days=2))

    assert [(each["receipt_id"], each["received_at"][:10]) for each in listed(cellar)] == [
        (broken, "2026-11-26"),
        (sound, "2026-11-24"),
    ]
