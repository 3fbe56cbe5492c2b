"""The flow that finds missing processes, against a real Prefect server, on both databases."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import httpx
import pytest
from sqlmodel import select

from adapters.database.transactions import writing
from adapters.observation.log import reference_digest
from flows.find_missing import find_missing
from models.completeness.processes import MissingProcessRow
from models.errors import Transient
from models.messages.notification import NotificationRow
from tests.conftest import LONGEST_S, Configure, wait_until
from tests.messages import SECRET
from tests.records import all_of
from tests.reported_events import SUBMITTED, archived_at, event, findings, reported

pytestmark = pytest.mark.usefixtures("prefect", "installation")


def searched() -> None:
    asyncio.run(find_missing())


def summary(prefect_server: str) -> str:
    """Return the newest summary of missing processes in Prefect."""
    answer = httpx.get(
        f"{prefect_server}/artifacts/missing-processes/latest", trust_env=False, timeout=LONGEST_S
    ).raise_for_status()
    return str(answer.json()["data"])


def heard(prefect_server: str, reference: str) -> list[str]:
    """Return the names of the two events that Prefect has about a process, once it has them."""
    wanted = {"filter": {"resource": {"id": [f"cellar.archive.{reference_digest(reference)}"]}}}

    def _found() -> list[str]:
        answer = httpx.post(
            f"{prefect_server}/events/filter", json=wanted, trust_env=False, timeout=LONGEST_S
        ).raise_for_status()
        return [str(each["event"]) for each in answer.json()["events"]]

    wait_until(lambda: len(_found()) >= 2)
    return _found()


def test_flow_announces_a_missing_process_and_closes_it_when_its_archive_has_arrived(
    configure: Configure, prefect_server: str
) -> None:
    configure(notify_urls="https://erp.example/hook", notify_secret=SECRET)
    lost = f"lost-{token_hex(4)}"  # Prefect's server keeps the events of other tests
    now = datetime.now(UTC)
    submitted_at = now - timedelta(hours=30, minutes=30)
    reported(event(SUBMITTED, submitted_at, lost), event(SUBMITTED, submitted_at, "kept-1", "b"))
    archived_at(submitted_at + timedelta(minutes=1), "kept-1", "b")

    searched()
    searched()

    assert findings("reference", "why", "alerted_h", "closed_why") == [(lost, "submitted", 24, None)]
    messages = all_of(select(NotificationRow))
    assert [(each.event, each.reference, each.state) for each in messages] == [("process.missing", lost, "pending")] * 2
    assert heard(prefect_server, lost) == ["cellar.process.missing"] * 2  # found, and 24 hours before the deadline
    assert f"| 17 hours left | default | 100 | 30 | {lost} |" in summary(prefect_server)

    archived_at(submitted_at + timedelta(minutes=2), lost)
    searched()
    assert findings("closed_why") == [("archived",)]
    assert lost not in summary(prefect_server)


def test_alert_that_is_due_is_announced_while_the_store_is_away(configure: Configure, tmp_path: Path) -> None:
    configure(notify_urls="https://erp.example/hook", notify_secret=SECRET)
    now = datetime.now(UTC)
    reported(event(SUBMITTED, now - timedelta(hours=20), "lost-1"))
    searched()
    with writing() as session:
        session.exec(select(MissingProcessRow)).one().deadline_at = now + timedelta(hours=12)

    (tmp_path / "unmounted").touch()
    configure(store_url=tmp_path / "unmounted")
    reported(event(SUBMITTED, now - timedelta(hours=2), "lost-2", source="leasing"))  # whose terms are in the store
    with pytest.raises(Transient):
        searched()

    assert findings("reference", "alerted_h") == [("lost-1", 12)]
