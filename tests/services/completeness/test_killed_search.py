"""A search that is killed at any moment leaves no finding, event or alert out, and repeats none."""

import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlmodel import select

from adapters.database.transactions import reading
from models.completeness.processes import MissingProcessRow
from models.messages.notification import NotificationRow
from services.completeness.finding_missing import announce_missing, find_missing
from tests.conftest import LONGEST_S, Configure
from tests.killed import begun
from tests.messages import SECRET
from tests.records import NOON, all_of
from tests.reported_events import SUBMITTED, event, findings, reported

pytestmark = pytest.mark.usefixtures("installation")
PROCESSES = 120
NOW = NOON + timedelta(hours=30)


def killed_after(messages: int) -> None:
    """Start a search in a process of its own, and kill it once that many messages are planned."""
    search = begun(search_and_announce)
    deadline = time.monotonic() + LONGEST_S
    while planned() < messages and search.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    search.kill()
    search.join()


def search_and_announce() -> None:
    find_missing(NOW)
    announce_missing(NOW)


def planned() -> int:
    return len(all_of(select(NotificationRow.message_id)))


def test_search_that_is_killed_again_and_again_tells_everything_once(configure: Configure) -> None:
    configure(notify_urls="https://erp.example/hook", notify_secret=SECRET)
    reported(*(event(SUBMITTED, NOON, f"r{number}") for number in range(PROCESSES)))

    for messages in (40, PROCESSES - 50, PROCESSES + 100):
        killed_after(messages)
    search_and_announce()

    assert Counter(findings("alerted_h", "closed_why")) == {(24, None): PROCESSES}
    with reading() as session:
        assert all(each.announced_at for each in session.exec(select(MissingProcessRow)))
        told = Counter(each.reference for each in session.exec(select(NotificationRow)))
    assert told == dict.fromkeys((f"r{number}" for number in range(PROCESSES)), 2)
