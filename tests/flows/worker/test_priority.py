"""Work in bulk pauses while its worker archives something else."""

import time
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from prefect import Flow
from prefect.client.schemas.objects import FlowRun

from flows.execution.engine import Execution
from flows.find_missing import find_missing
from flows.import_archives import import_archives
from flows.process_archive import process_archive
from flows.worker.worker import GivingWay, is_in_bulk
from tests.conftest import LONGEST_S


def execution(flow: Flow[..., Any], *tags: str) -> Execution:
    return Execution(flow, FlowRun(flow_id=uuid4(), name="r", tags=list(tags)))


NEW = execution(process_archive, "trigger:webhook")


def test_imports_and_bulk_reruns_are_in_bulk() -> None:
    assert is_in_bulk(execution(import_archives))
    assert is_in_bulk(execution(process_archive, "trigger:bulk"))
    assert not is_in_bulk(NEW)
    assert not is_in_bulk(execution(process_archive, "trigger:rerun"))


def test_bulk_goes_on_when_a_new_archive_needs_its_slot_no_longer() -> None:
    live, order = {"r": execution(process_archive, "trigger:webhook")}, list[str]()

    def _work() -> None:
        GivingWay(live).pause()
        order.append("went on")

    working = Thread(target=_work)
    working.start()
    time.sleep(0.2)
    order.append("archived")
    live["r"].holds_slot = False
    working.join(LONGEST_S)

    assert order == ["archived", "went on"]


@pytest.mark.parametrize("others", [[], [execution(find_missing), execution(process_archive, "trigger:bulk")]])
def test_bulk_waits_neither_for_other_work_nor_for_ever(others: list[Execution]) -> None:
    way = GivingWay({str(number): each for number, each in enumerate(others)})
    way.pause()

    endless = GivingWay({"r": NEW})
    endless.pause()
    endless.pause()  # goes on for a while
