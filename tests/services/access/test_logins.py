"""Who is signed in to the console, and what ends a login."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from models.access import CELLAR
from models.people import ActionKind, LoginRow
from models.views.archives.archives import TimelineKind
from services.access import logins
from services.people.actions import record
from services.views.timeline import timeline_of
from tests.records import all_of

pytestmark = pytest.mark.usefixtures("sqlite_installation")
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PERSON, TOKEN, OTHER = "דנה Levy", "a token", "another token"


def test_person_is_signed_in_until_the_login_ends() -> None:
    session_id = logins.begin(PERSON, TOKEN, NOW)

    last_moment = NOW + logins.LASTS - timedelta(seconds=1)
    assert logins.person_of(session_id, [OTHER, TOKEN], last_moment) == PERSON
    assert logins.person_of(session_id, [TOKEN], NOW + logins.LASTS) is None


def test_login_ends_with_its_token() -> None:
    session_id = logins.begin(PERSON, TOKEN, NOW)

    assert logins.person_of(session_id, [OTHER], NOW) is None


def test_signing_out_ends_this_login_alone() -> None:
    one, other = logins.begin(PERSON, TOKEN, NOW), logins.begin(PERSON, TOKEN, NOW)

    logins.end(one)

    assert logins.person_of(one, [TOKEN], NOW) is None
    assert logins.person_of(other, [TOKEN], NOW) == PERSON


def test_database_has_neither_the_session_nor_the_token_and_forgets_ended_logins() -> None:
    ended = logins.begin(PERSON, TOKEN, NOW - logins.LASTS)
    session_id = logins.begin(PERSON, TOKEN, NOW)

    [row] = all_of(select(LoginRow))
    assert not {session_id, ended, TOKEN} & {row.session, row.token}
    assert logins.person_of(ended, [TOKEN], NOW - timedelta(seconds=1)) is None


def test_timeline_says_who_did_what() -> None:
    record(["process-1", "process-2"], ActionKind.EXPORT, "console (Dana)", NOW)
    record(["process-1"], ActionKind.RERUN, "dana@host", NOW + timedelta(seconds=1))

    found = [(each.kind, each.what, each.by) for each in timeline_of("process-1", CELLAR)]

    assert found == [
        (TimelineKind.ACTION, "exported the archive", "console (Dana)"),
        (TimelineKind.ACTION, "asked for a re-run", "dana@host"),
    ]
