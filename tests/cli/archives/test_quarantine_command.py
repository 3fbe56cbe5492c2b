"""`cellar quarantine list`, `show` and `release`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.inbox import inbox
from adapters.inbox.inbox import Intake
from adapters.platform.settings import Settings, settings
from models.errors import Refused
from tests.cli.conftest import Cellar
from tests.samples import sample_body

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def quarantined(body: bytes, refused: Refused, at: datetime = NOW) -> str:
    """Put a refused body into quarantine, and return its receipt id."""
    intake = Intake()
    intake.digest(body)
    intake.write([body])
    return intake.quarantine(refused, at).receipt_id


@pytest.fixture
def sound(configure: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> str:
    """The receipt of a sound payload that an earlier cellar refused."""
    monkeypatch.setenv("COLUMNS", "400")
    return quarantined(sample_body("process-1"), Refused("NOT_BASE64", "too strict", where="attachments[0].content"))


@pytest.fixture
def broken(sound: str) -> str:
    return quarantined(b'{"Marker-314159', Refused("TRUNCATED", "the body ends"), NOW + timedelta(days=1))


def test_list_shows_each_payload_with_its_reason_newest_first(cellar: Cellar, sound: str, broken: str) -> None:
    result = cellar("quarantine", "list")

    assert result.status == 0
    assert result.output.index(broken) < result.output.index(sound)
    assert all(each in result.output for each in ("NOT_BASE64", "attachments[0].content", "too strict", "2026-11-24"))


def test_list_is_json_for_scripts(cellar: Cellar, sound: str, broken: str) -> None:
    entries = json.loads(cellar("quarantine", "list", "--json").output)

    assert [entry["receipt_id"] for entry in entries] == [broken, sound]
    assert entries[1] == {
        "receipt_id": sound,
        "received_at": "2026-11-24T00:00:00+00:00",
        "size_bytes": len(sample_body("process-1")),
        "code": "NOT_BASE64",
        "where": "attachments[0].content",
        "detail": "too strict",
    }


def test_list_of_an_empty_quarantine_is_empty(cellar: Cellar, configure: Callable[..., Settings]) -> None:
    result = cellar("quarantine", "list", "--json")

    assert (result.status, json.loads(result.output)) == (0, [])


def test_show_names_the_path_of_the_raw_body(cellar: Cellar, sound: str) -> None:
    entry = json.loads(cellar("quarantine", "show", sound, "--json").output)

    assert Path(entry["body"]).read_bytes() == sample_body("process-1")
    reported = cellar("quarantine", "show", sound).output
    assert [value for value in entry.values() if str(value) not in reported and value != entry["received_at"]] == []


def test_unique_beginning_of_an_id_is_enough(cellar: Cellar, sound: str, broken: str) -> None:
    assert json.loads(cellar("quarantine", "show", broken[:8], "--json").output)["receipt_id"] == broken
    assert cellar("quarantine", "show", "").status == 1


@pytest.mark.usefixtures("sound")
def test_unknown_id_fails(cellar: Cellar) -> None:
    for command in ("show", "release"):
        result = cellar("quarantine", command, "0" * 64)

        assert (result.status, result.output) == (1, "")
        assert "UNKNOWN_RECEIPT" in result.errors


def test_release_moves_a_sound_payload_into_the_inbox(cellar: Cellar, sound: str) -> None:
    result = cellar("quarantine", "release", sound)

    assert (result.status, result.errors) == (0, "")
    (delivery,) = inbox.deliveries()
    assert (delivery.receipt_id, delivery.reference) == (sound, "process-1")
    with inbox.opened_body(sound) as body:
        assert body.read() == sample_body("process-1")
    assert inbox.quarantined() == []
    assert not Path(inbox.quarantined_location(sound)).exists()


def test_release_of_a_bad_payload_fails_and_keeps_it_in_quarantine(cellar: Cellar, broken: str) -> None:
    result = cellar("quarantine", "release", broken)

    assert (result.status, result.output) == (1, "")
    assert result.errors.startswith("cellar: TRUNCATED")
    assert "314159" not in result.errors
    assert broken in {entry.receipt_id for entry in inbox.quarantined()}
    assert list((Path(settings().inbox_location) / "waiting").iterdir()) == []


@pytest.mark.parametrize("arguments", [["quarantine"], ["quarantine", "show"], ["quarantine", "free"]])
def test_wrong_use_exits_with_2(cellar: Cellar, arguments: list[str]) -> None:
    assert cellar(*arguments).status == 2
