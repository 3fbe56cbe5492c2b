"""Releases of refused bodies by two people at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest

from adapters.inbox import inbox, quarantine
from adapters.inbox.inbox import Intake
from domain.archive.found_process import FoundProcess
from models.errors import Refused
from models.runs.receipt import RefusedDelivery
from services.triggering.refused import Outcome, release_all
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
