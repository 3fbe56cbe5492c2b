"""No request is answered before its row of the access log is on stable storage."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from adapters.database.connections import engine
from adapters.store.tombstones import digest_of
from models.access import AccessRow
from services.access.chains import wrong_access
from tests.api.conftest import TOKEN, Receiver, started
from tests.conftest import LONGEST_S, make_tables, wait_until
from tests.installations import installed
from tests.records import all_of

_READERS = 6
_SEED = 20261129


def _asked(receiver: Receiver, references: "count[int]", answered: list[str]) -> None:
    """Ask until the receiver is dead, and note which references it has answered."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{receiver.port}", trust_env=False, timeout=LONGEST_S) as client:
        while True:
            reference = f"process-{next(references)}"
            try:
                assert client.get(f"/api/archives/{reference}", headers=headers).status_code == 404
            except httpx.TransportError:
                return
            answered.append(reference)


def _wait_for_more(answered: list[str]) -> None:
    before = len(answered)
    wait_until(lambda: len(answered) > before)


@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=[pytest.mark.faults, pytest.mark.timeout(3600)])])
def test_each_answered_request_has_its_row_when_receivers_are_killed(tmp_path: Path, kills: int) -> None:
    chance, references, answered = random.Random(_SEED), count(), list[str]()
    with installed(tmp_path, api_tokens=TOKEN):
        make_tables()
        for _ in range(kills):
            with started() as receiver:
                readers = [
                    threading.Thread(target=_asked, args=(receiver, references, answered)) for _ in range(_READERS)
                ]
                for each in readers:
                    each.start()
                _wait_for_more(answered)
                time.sleep(chance.uniform(0, 0.3))
                receiver.process.kill()
                for each in readers:
                    each.join(LONGEST_S)

        recorded = {row.reference for row in all_of(select(AccessRow))}
        assert len(answered) >= kills
        assert {digest_of(each) for each in answered} - recorded == set()
        assert list(wrong_access()) == []


def test_answer_waits_for_a_locked_database_and_nothing_is_shown_unrecorded(tmp_path: Path) -> None:
    with installed(tmp_path, api_tokens=TOKEN):
        make_tables()
        with started() as receiver, ThreadPoolExecutor(1) as thread:

            def _get() -> httpx.Response:
                return receiver.client.get("/api/archives", headers={"authorization": f"Bearer {TOKEN}"})

            with engine().begin() as holding:  # the lock of SQLite's only writer
                answer = thread.submit(_get)
                time.sleep(0.5)
                assert not answer.done()
                holding.rollback()
            assert answer.result().status_code == 200

            with engine().begin() as connection:
                connection.exec_driver_sql("ALTER TABLE access RENAME TO away")
            refused = _get()
            assert refused.status_code >= 500
            assert "items" not in refused.json()
