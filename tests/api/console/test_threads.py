"""Actions of people take no thread in which the receiver registers deliveries, and leave exports their own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import Request, Response
from sqlmodel import select

from api.console.frame.threads import in_thread, in_thread_of_exports
from api.console.frame.uploads import Upload
from api.console.frame.visits import Form
from api.console.pages.intake import take_reports
from cli.options import shell
from models.settlements.settlement import SettlementReportRow
from tests.conftest import LONGEST_S, Configure
from tests.records import all_of
from tests.settlements import COLUMNS, line, report

InThread = Callable[[Callable[[], bool]], Awaitable[bool]]


async def _registered_beside(work: InThread, actions: int) -> str:
    """Return what a thread of asyncio returns while more actions than there are threads wait."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    goes_on = threading.Event()
    waiting = [asyncio.ensure_future(work(goes_on.wait)) for _ in range(actions)]
    try:
        return await asyncio.wait_for(asyncio.to_thread(lambda: "registered"), LONGEST_S)
    finally:
        goes_on.set()
        await asyncio.gather(*waiting)


@pytest.mark.parametrize("work", [in_thread, in_thread_of_exports])
def test_deliveries_are_registered_while_people_act(work: InThread) -> None:
    with ThreadPoolExecutor() as threads:  # the browser of this folder holds this thread's event loop
        assert threads.submit(asyncio.run, _registered_beside(work, 8)).result() == "registered"


async def _acted_beside_exports() -> bool:
    goes_on = threading.Event()
    exports = [asyncio.ensure_future(in_thread_of_exports(goes_on.wait)) for _ in range(8)]
    try:
        return await asyncio.wait_for(in_thread(lambda: True), LONGEST_S)
    finally:
        goes_on.set()
        await asyncio.gather(*exports)


def test_people_act_while_archives_are_exported() -> None:
    with ThreadPoolExecutor() as threads:
        assert threads.submit(asyncio.run, _acted_beside_exports()).result()


async def _taken_behind_exports() -> Response:
    goes_on, shown = threading.Event(), Upload(Form((("shown", "x"),)), (report(line("c1")),), "x")
    exports = [asyncio.ensure_future(in_thread_of_exports(goes_on.wait)) for _ in range(8)]
    asyncio.get_running_loop().call_later(3, goes_on.set)
    try:
        return await take_reports(Request({"type": "http"}), shown, shell())
    finally:
        goes_on.set()
        await asyncio.gather(*exports)


@pytest.mark.usefixtures("sqlite_installation")
def test_reports_are_on_stable_storage_when_their_form_is_answered(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "columns.toml").write_text(COLUMNS)
    configure(settlement_columns=tmp_path / "columns.toml")
    with ThreadPoolExecutor() as threads:
        assert threads.submit(asyncio.run, _taken_behind_exports()).result().status_code == 303
    assert all_of(select(SettlementReportRow))
