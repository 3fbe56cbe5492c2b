"""A fortnight of 2,000 processes ends exactly as counted in advance, whatever is down, late, hostile or killed."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlmodel import SQLModel, select

from adapters.database.transactions import reading
from adapters.settings.settings import Settings
from domain.messages.endpoints import declared_name
from models.archive.archive import ArchiveRow
from models.completeness.missing_process import MissingProcessRow
from models.completeness.session_event import SessionEventRow
from models.messages.endpoint import EndpointRow
from models.messages.notification import NotificationRow, NotificationState
from tests.conftest import free_port
from tests.fortnight.downstream import Downstream, served
from tests.fortnight.driver import Player
from tests.fortnight.expected import Expected, expected
from tests.fortnight.plan import BEGIN, Victim, drawn
from tests.installations import closed_url

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONFIRMING = ("/well", "/down", "/slow")
SEED, PROCESSES = 15, int(os.environ.get("FORTNIGHT", "2000"))
Row = TypeVar("Row", bound=SQLModel)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_fortnight_ends_as_counted(
    configure: Callable[..., Settings], sqlite_installation: Settings, tmp_path: Path
) -> None:
    downstream, plan = Downstream(), drawn(SEED, PROCESSES, sources=("default",))
    server = served(downstream)
    base = f"http://127.0.0.1:{server.server_port}"
    configure(
        port=free_port(),
        webhook_secrets="the secret",
        notify_urls=",".join(f"{base}{path}" for path in (*CONFIRMING, "/hostile")),
        notify_secret=SECRET,
        notify_allow_private="true",
        people_urls=f"{base}/people".replace("http", "json"),
        PREFECT_API_URL=closed_url(),
    )
    player = Player(plan, tmp_path, downstream, {"default": "the secret"})

    player.play()
    server.shutdown()

    counted = expected(plan)
    assert Counter(player.killed) == {Victim.WORKER: 10, Victim.RECEIVER: 10}
    assert {each.reference for each in rows(ArchiveRow)} == counted.archives
    assert len(rows(SessionEventRow)) == counted.session_events
    check_findings(counted)
    check_messages(downstream, counted, f"{base}/hostile")
    check_letters(downstream.letters, base)


def rows(table: type[Row]) -> list[Row]:
    with reading() as session:
        return list(session.exec(select(table)))


def check_findings(counted: Expected) -> None:
    """Each missing process was found in its round, with its deadline, and closed in its round for its reason."""
    found = {
        (each.reference, each.source, each.why, _minute(each.opened_at), each.deadline_at, _minute(each.closed_at),
         each.closed_why, each.alerted_h)
        for each in rows(MissingProcessRow)
    }  # fmt: skip
    assert found == {
        (each.reference, each.source, each.why, each.opened_at, each.deadline_at, each.closed_at,
         each.closed_why, each.alerts[-1][0] if each.alerts else None)
        for each in counted.findings
    }  # fmt: skip


def check_messages(downstream: Downstream, counted: Expected, hostile: str) -> None:
    """Each event reached each endpoint that confirms. The hostile endpoint is given up, with its messages on record."""
    for path in CONFIRMING:
        assert Counter(downstream.confirmed[path].values()) == +counted.events, path
    messages = rows(NotificationRow)
    states = Counter((each.endpoint, each.state) for each in messages)
    assert sum(states.values()) == 4 * counted.events.total()
    assert states[hostile, NotificationState.DELIVERED] == states[hostile, NotificationState.PENDING] == 0
    (row,) = [each for each in rows(EndpointRow) if each.name == declared_name(hostile)]
    assert row.disabled_at is not None
    # Sent twice: only what was under way when the worker was killed.
    again = Counter({path: sum(times.values()) - len(times) for path, times in downstream.times.items()})
    assert again.total() <= 10 * 4 * len(CONFIRMING)


def check_letters(letters: list[str], base: str) -> None:
    """People hear of each outage when it begins and when it is over."""
    down, hostile = declared_name(f"{base}/down"), declared_name(f"{base}/hostile")
    told = Counter(letters)
    for title in (
        f"cellar: endpoint {down} does not confirm",
        f"cellar: endpoint {down} is no longer failing",
        f"cellar: endpoint {hostile} does not confirm",
        f"cellar: endpoint {hostile} is disabled",
    ):
        assert told[title] >= 1, title
    assert told["cellar: no process is missing any longer (default)"] >= 1


def _minute(at: object) -> object:
    """Return a time without its seconds: a round takes some of them."""
    return getattr(at, "replace", lambda **_: at)(second=0, microsecond=0)


def test_clock_begins_on_a_monday() -> None:
    assert BEGIN.isoweekday() == 1
