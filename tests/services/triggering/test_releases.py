"""Releases and dismissals of refused bodies by two people at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from adapters.inbox import inbox, quarantine
from adapters.inbox.inbox import Intake
from adapters.tables.runs import refused
from domain.archive.found_process import FoundProcess
from models.errors import Refused
from models.runs.receipt import RefusedDelivery
from models.views.parameters import Dismissal
from services.triggering.refused import Outcome, dismiss, release_all, withdraw
from tests.conftest import LONGEST_S
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def quarantined(body: bytes) -> RefusedDelivery:
    intake = Intake()
    intake.digest(body)
    intake.write([body])
    return intake.quarantine(Refused("NOT_BASE64", "too strict"), datetime.now(UTC), FoundProcess())


def test_bodies_that_two_people_release_at_once_are_released() -> None:
    bodies = {each.receipt_id: [each] for each in (quarantined(sample_body(f"r-{number}")) for number in range(40))}
    at_once = Barrier(2)

    def release() -> list[Outcome]:
        at_once.wait(LONGEST_S)
        return release_all(bodies)

    with ThreadPoolExecutor(2) as people:
        outcomes = [each.result() for each in [people.submit(release) for _ in range(2)]]

    assert outcomes == [[Outcome(each, None) for each in bodies]] * 2
    assert {each.receipt_id for each in inbox.deliveries()} == set(bodies)
    assert all(each.released_at for each in quarantine.refused())


def test_body_that_was_removed_by_hand_is_not_released() -> None:
    delivery = quarantined(sample_body("r"))
    quarantine.remove_body(delivery.receipt_id)

    [outcome] = release_all({delivery.receipt_id: [delivery]})

    assert outcome.fault
    assert outcome.fault.code == "BODY_MISSING"
    assert [each.released_at for each in quarantine.refused()] == [None]


def test_decision_that_the_database_does_not_have_yet_is_not_overwritten() -> None:
    released, dismissed = quarantined(sample_body("r")), quarantined(b"{")
    refused.record([released, dismissed])
    now, said = datetime.now(UTC), Dismissal(by="Dana", why="a test")
    release_all({released.receipt_id: [released]})
    assert dismiss(refused.of_bodies([released.receipt_id]), said, now) == []
    refused.record(dismiss([dismissed], said, now))
    quarantine.set_dismissed(dismissed, "Noa", "no archive", now + timedelta(seconds=1))

    assert withdraw("Dana", now, now + timedelta(seconds=2)) == 0

    kept = {each.receipt_id: each for each in quarantine.refused()}
    assert kept[released.receipt_id].released_at
    assert kept[dismissed.receipt_id].dismissed_by == "Noa"
    assert kept[dismissed.receipt_id].is_dismissed
