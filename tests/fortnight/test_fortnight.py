"""A fortnight of 2,000 processes ends exactly as counted in advance, whatever is down, late, hostile or killed."""

import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from sqlmodel import SQLModel, select

from adapters.settings.settings import Settings
from domain.messages.endpoints import name_of
from models.archive.archive import ArchiveRow
from models.completeness.processes import MissingProcessRow, SessionEventRow
from models.messages.notification import EndpointRow, NotificationRow, NotificationState
from models.sources import StatedTerms
from models.store.fixity import Fault
from services import sources
from services.completeness.finding_missing import find_missing
from services.custody.verifying_records import verify_beside
from services.messages.deliveries import keep_left_histories
from services.messages.endpoints import keep_disabled
from tests.conftest import Configure, free_port
from tests.flows import databases
from tests.flows.databases import in_new_database
from tests.fortnight.downstream import Downstream, served
from tests.fortnight.driver import Player
from tests.fortnight.expected import Expected, expected
from tests.fortnight.expected_events import LONGEST_PAUSE, TRIED_FOR, Endpoints, given_up, planned
from tests.fortnight.plan import BEGIN, DAYS, ROUNDS_EACH, Fortnight, Victim, drawn
from tests.installations import closed_url
from tests.messages import SECRET
from tests.records import all_of

CONFIRMING = ("/well", "/down", "/slow")
SEED, PROCESSES = 15, int(os.environ.get("FORTNIGHT", "2000"))
Row = TypeVar("Row", bound=SQLModel)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_fortnight_ends_as_counted(configure: Configure, sqlite_installation: Settings, tmp_path: Path) -> None:
    downstream, plan = Downstream(), drawn(SEED, PROCESSES)
    with served(downstream) as base:
        configure(
            port=free_port(),
            webhook_secrets="the sender's secret",
            notify_urls=",".join(f"{base}{path}" for path in (*CONFIRMING, "/hostile")),
            notify_secret=SECRET,
            notify_allow_private="true",
            people_urls=f"{base}/people".replace("http", "json"),
            PREFECT_API_URL=closed_url(),
        )
        loans = sources.add("loans", StatedTerms(), "test", BEGIN)
        player = Player(plan, tmp_path, downstream, {"default": "the sender's secret", "loans": loans.secret})
        player.play()

    counted = expected(plan)
    assert Counter(player.killed) == {Victim.WORKER: 10, Victim.RECEIVER: 10}
    assert {each.reference for each in rows(ArchiveRow)} == counted.archives
    assert len(rows(SessionEventRow)) == counted.session_events
    check_findings(counted)
    endpoints = check_endpoints(plan, f"{base}/down", f"{base}/hostile")
    check_messages(downstream, counted, planned(plan, counted), endpoints, base)
    dead = given_up(planned(plan, counted), endpoints.disabled_at)
    check_letters(downstream.letters, counted, has_dead=dead > 0)
    check_rebuilt(configure, plan)


def check_rebuilt(configure: Configure, plan: Fortnight) -> None:
    """A rebuild brings back each row of each table, but logins and what is under way."""
    keep_disabled()
    keep_left_histories()
    before = databases.rows()
    in_new_database(configure)
    find_missing(plan.until)
    after = databases.rows()
    assert {name: len(set(its) ^ set(after[name])) for name, its in before.items() if its != after[name]} == {}
    assert [each for each in verify_beside().findings if each.fault is Fault.DIFFERS] == []


def rows(table: type[Row]) -> list[Row]:
    return list(all_of(select(table)))


def check_findings(counted: Expected) -> None:
    """Each missing process was found in its round, with its deadline, and closed in its round for its reason."""
    found = {
        (each.reference, each.source, each.why, each.opened_at, each.deadline_at, each.closed_at,
         each.closed_why, each.alerted_h)
        for each in rows(MissingProcessRow)
    }  # fmt: skip
    assert found == {
        (each.reference, each.source, each.why, each.opened_at, each.deadline_at, each.closed_at,
         each.closed_why, each.alerts[-1][0] if each.alerts else None)
        for each in counted.findings
    }  # fmt: skip


def check_endpoints(plan: Fortnight, down: str, hostile: str) -> Endpoints:
    """The endpoint that was down recovered after it was up again; the hostile endpoint was disabled after 75 hours."""
    confirmed = [each.delivered_at for each in rows(NotificationRow) if each.endpoint == down and each.delivered_at]
    recovered_at = round_before(min(each for each in confirmed if each > plan.down_from + ROUNDS_EACH))
    assert plan.down_until <= recovered_at <= plan.down_until + LONGEST_PAUSE
    (row,) = [each for each in rows(EndpointRow) if each.name == name_of(hostile)]
    assert row.disabled_at
    disabled_at = round_before(row.disabled_at)
    first = round_before(min(each.planned_at for each in rows(NotificationRow)))
    assert first + TRIED_FOR <= disabled_at <= first + TRIED_FOR + LONGEST_PAUSE
    return Endpoints(name_of(down), recovered_at, row.name, disabled_at)


def check_messages(
    downstream: Downstream, counted: Expected, events: Counter[datetime], endpoints: Endpoints, base: str
) -> None:
    """Each event was announced in its round, and reached each endpoint that confirms.

    The hostile endpoint is given up, with its messages on record.
    """
    for path in CONFIRMING:
        assert Counter(downstream.confirmed[path].values()) == +counted.events, path
    messages = rows(NotificationRow)
    for name in {each.endpoint_name for each in messages}:
        assert Counter(round_before(each.planned_at) for each in messages if each.endpoint_name == name) == events, name
    states = Counter((each.endpoint_name, each.state) for each in messages)
    total, dead = counted.events.total(), given_up(events, endpoints.disabled_at)
    assert events.total() == total
    delivered = {(name_of(f"{base}{path}"), NotificationState.DELIVERED): total for path in CONFIRMING}
    unheard = {
        (endpoints.hostile, NotificationState.DEAD): dead,
        (endpoints.hostile, NotificationState.SKIPPED): total - dead,
    }
    assert states == +Counter(delivered | unheard)
    # Sent twice: only what was under way when the worker was killed.
    again = Counter({path: sum(times.values()) - len(times) for path, times in downstream.times.items()})
    assert again.total() <= 10 * 4 * len(CONFIRMING)


def check_letters(titles: list[str], counted: Expected, *, has_dead: bool) -> None:
    """People hear of what is wrong and that it is over, an hour after the last letter or at an alert, each time once.

    Only a letter that was under way when the worker was killed may come twice.
    """
    told = {each for title in titles for each in title.removeprefix("cellar: ").split(", ")}
    assert {"Missing processes", "Endpoints that fail", "Disabled endpoints"} <= told
    assert not has_dead or "Messages given up" in told
    assert any(each.startswith("Over: ") for each in told)
    assert len(titles) <= DAYS * 24 + sum(len(each.alerts) for each in counted.findings) + 10


def round_before(at: datetime) -> datetime:
    return BEGIN + (at - BEGIN) // ROUNDS_EACH * ROUNDS_EACH


def test_clock_begins_on_a_monday() -> None:
    assert BEGIN.isoweekday() == 1
