"""Who is signed in to the console, and what ends a login."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from adapters.settings.settings import Settings
from models.access import CELLAR, Caller, Role, SignedInBy
from models.people import ActionKind, LoginRow
from models.views.archives.archives import TimelineKind
from services.access import logins
from services.people.actions import record
from services.views.timeline import timeline_of
from tests.conftest import Configure
from tests.records import all_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DANA = Caller("dana@example.com", Role.CLERK, "label:branch=חיפה", "192.0.2.1")
ELSEWHERE = "192.0.2.2"
TOKEN, OTHER = "a token of thirty-two characters at least", "another token of thirty-two characters at least"


@pytest.fixture(autouse=True)
def _tokens(sqlite_installation: Settings, configure: Configure) -> None:
    configure(api_tokens=f"{TOKEN},{OTHER}")


def begun(now: datetime = NOW, token: str | None = None) -> str:
    return logins.begin(DANA, SignedInBy.PROVIDER, now, token)


def caller_of(session_id: str, now: datetime = NOW) -> Caller | None:
    return logins.caller_of(session_id, ELSEWHERE, now)


def test_login_carries_role_and_scope_until_it_ends() -> None:
    session_id = begun()

    assert caller_of(session_id, NOW + logins.LASTS - timedelta(seconds=1)) == replace(DANA, address=ELSEWHERE)
    assert caller_of(session_id, NOW + logins.LASTS) is None


def test_login_ends_with_its_token(configure: Configure) -> None:
    session_id = begun(token=TOKEN)
    assert caller_of(session_id)

    configure(api_tokens=OTHER)

    assert caller_of(session_id) is None


def test_one_login_ends_alone_and_all_of_a_person_together() -> None:
    one, second, third = begun(), begun(), begun()

    logins.end(one, NOW)
    assert [caller_of(each) is not None for each in (one, second, third)] == [False, True, True]
    assert logins.end_listed(logins.listed(NOW)[0].session, NOW, "somebody else") is False
    assert logins.end_all(DANA.name, NOW, but=third) == 1
    assert [caller_of(each) is not None for each in (second, third)] == [False, True]


def test_list_has_the_time_of_the_last_page_and_no_login_that_is_idle() -> None:
    session_id = begun()
    later = NOW + timedelta(minutes=25)

    logins.caller_of(session_id, ELSEWHERE, later, is_visit=False)
    assert [each.seen_at for each in logins.listed(later)] == [NOW]
    caller_of(session_id, later)

    [listed] = logins.listed(later + timedelta(minutes=25), DANA.name)
    assert (listed.seen_at, listed.address, listed.signed_in_by) == (later, DANA.address, SignedInBy.PROVIDER)
    assert logins.listed(later + timedelta(minutes=32)) == []


def test_database_has_neither_the_session_nor_the_token_and_forgets_ended_logins() -> None:
    ended = begun(NOW - logins.LASTS)
    session_id = begun(token=TOKEN)

    [row] = all_of(select(LoginRow))
    assert not {session_id, ended, TOKEN} & {row.session, row.token}
    assert caller_of(ended, NOW - timedelta(seconds=1)) is None


def test_timeline_says_who_did_what() -> None:
    record(["process-1", "process-2"], ActionKind.EXPORT, "console (Dana)", NOW)
    record(["process-1"], ActionKind.RERUN, "dana@host", NOW + timedelta(seconds=1))

    found = [(each.kind, each.what, each.by) for each in timeline_of("process-1", CELLAR)]

    assert found == [
        (TimelineKind.ACTION, "exported the archive", "console (Dana)"),
        (TimelineKind.ACTION, "asked for a re-run", "dana@host"),
    ]
