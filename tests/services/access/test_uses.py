"""When secrets, tokens and links were used last."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.tables import uses as table
from services.access import uses
from tests.conftest import Configure, make_tables
from tests.installations import database_that_is_away

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)


@pytest.mark.usefixtures("installation")
def test_uses_of_all_processes_are_added_and_the_last_one_is_known() -> None:
    for moments in ([EARLIER, NOW], [EARLIER]):  # as two processes that write one after the other
        for at in moments:
            uses.used("secret", "a digest", at)
        uses.used("link", "a digest", EARLIER)
        uses.flush()

    found = table.of("secret", ["a digest", "never used"])
    [link] = table.of("link", ["a digest"]).values()

    assert {name: (row.at, row.times) for name, row in found.items()} == {"a digest": (NOW, 3)}
    assert (link.at, link.times) == (EARLIER, 2)


def test_uses_wait_for_a_database_that_is_away(configure: Configure) -> None:
    there = configure().database_location
    configure(database_url=database_that_is_away())
    uses.used("token", "backup", EARLIER)
    uses.flush()
    uses.used("token", "backup", NOW)

    configure(database_url=there)
    make_tables()
    uses.flush()

    [found] = table.of("token", ["backup"]).values()
    assert (found.at, found.times) == (NOW, 2)
