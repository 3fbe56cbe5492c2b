"""`cellar missing list` lists what should have been archived, in words and as JSON; a person dismisses a finding."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from adapters.settings.settings import Settings
from cli.options import person
from services.completeness.finding_missing import find_missing
from tests.cli.conftest import Cellar
from tests.reported_events import EXPIRED, SUBMITTED, archived_at, event, findings, reported

ME = person()
pytestmark = pytest.mark.usefixtures("installation")

IN_SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
NOW = datetime.now(UTC)


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.fixture
def two_missing(installation: Settings) -> None:
    """One process that is deleted in 17 hours, and one of another source, in 6 days."""
    reported(event(SUBMITTED, hours_ago(30.5), "first"), event(EXPIRED, hours_ago(20), "second", source="leasing"))
    find_missing(NOW)


def listed(cellar: Cellar, *filters: str) -> list[str]:
    return [each["reference"] for each in json.loads(cellar("missing", "list", "--json", *filters).output)["items"]]


@pytest.mark.usefixtures("two_missing")
def test_list_begins_with_the_nearest_deadline(cellar: Cellar) -> None:
    ended = cellar("missing", "list")
    assert ended.status == 0
    first, second = (line.split() for line in ended.output.splitlines() if "default" in line or "leasing" in line)
    assert " ".join(first).startswith("first 17 hours left submitted, and not archived 100 default")
    assert " ".join(second).startswith("second 6 days left expired without an archive 100 leasing")


@pytest.mark.usefixtures("two_missing")
def test_filters_narrow_the_list(cellar: Cellar) -> None:
    assert listed(cellar, "--source", "leasing") == ["second"]
    assert listed(cellar, "--why", "submitted") == ["first"]
    assert listed(cellar, "--reference", "second") == ["second"]
    assert listed(cellar, "--state", "closed") == []
    page = json.loads(cellar("missing", "list", "--json", "--limit", "1").output)
    assert [each["hours_left"] for each in page["items"]] == [17]
    assert listed(cellar, "--cursor", page["next"]) == ["second"]


@IN_SQLITE
@pytest.mark.parametrize("wrong", [("--why", "lost"), ("--cursor", "x"), ("--limit", "0")])
def test_wrong_filter_is_wrong_use(cellar: Cellar, wrong: tuple[str, str]) -> None:
    assert cellar("missing", "list", *wrong).status == 2


@pytest.mark.usefixtures("two_missing")
def test_dismissed_finding_leaves_the_list_and_keeps_person_and_reason(cellar: Cellar) -> None:
    [first, _] = [missing_id for (missing_id,) in findings("missing_id")]
    ended = cellar("missing", "dismiss", first, "--why", "a test form", "--by", "Dana")
    assert (ended.status, ended.output) == (0, f"{first} is dismissed by {ME}: a test form\n")
    assert listed(cellar) == ["second"]
    assert listed(cellar, "--state", "closed") == ["first"]
    again = cellar("missing", "dismiss", first, "--why", "again")
    assert (again.status, "closed already: dismissed" in again.errors) == (1, True)
    assert cellar("missing", "dismiss", "unknown", "--why", "x").status == 1
    assert cellar("missing", "dismiss", first, "--why", " ").status == 2


@IN_SQLITE
def test_nothing_missing_is_said(cellar: Cellar) -> None:
    assert cellar("missing", "list").output == "No process is missing.\n"


@pytest.mark.usefixtures("two_missing")
def test_show_says_that_a_process_without_an_archive_is_missing(cellar: Cellar) -> None:
    shown = cellar("show", "first")
    assert shown.status == 1
    assert "The process is missing\n  submitted, and not archived, since" in shown.output
    assert "17 hours left" in shown.output
    assert json.loads(cellar("show", "first", "--json").output)["missing"][0]["hours_left"] == 17


def test_show_says_that_a_later_submission_is_missing(cellar: Cellar) -> None:
    reported(event(SUBMITTED, hours_ago(40)), event(SUBMITTED, hours_ago(30.5), session="b"))
    archived_at(hours_ago(39))
    find_missing(NOW)
    shown = cellar("show", "r")
    assert shown.status == 0
    assert "A later submission is missing" in shown.output
    assert "17 hours left" in shown.output


@pytest.mark.usefixtures("two_missing")
def test_status_counts_missing_processes_as_wrong(cellar: Cellar) -> None:
    ended = cellar("status")
    assert ended.status == 1
    assert "PROCESS_MISSING: 2 processes: " in ended.output
    assert "1 default, submitted, the first with 17 hours left" in ended.output
    found = json.loads(cellar("status", "--json").output)
    missing = [each["subjects"] for each in found["conditions"] if each["code"] == "PROCESS_MISSING"]
    assert (found["is_well"], sum(missing)) == (False, 2)
