"""Local users: links, passwords, one-time codes, and what ends their logins."""

import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest

from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store import seals
from adapters.store import users as records
from models.access import Caller, Role, SignedInBy, User, UserView
from models.errors import Conflict, Refused
from services.access import logins, tokens, users
from tests.conftest import Configure

pytestmark = pytest.mark.usefixtures("sqlite_installation")
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD, ADDRESS = "four words nobody knows", "192.0.2.1"
PROVIDER = {
    "oidc_issuer": "https://login.example.com",
    "oidc_client_id": "cellar",
    "oidc_client_secret": "secret",
    "oidc_roles": "ops=operator,tellers=clerk@label:branch=Haifa",
}


def added(name: str = "dana", role: Role = Role.OPERATOR, **members: Any) -> UserView:
    return users.add(name, role, "admin", NOW, **members)


def with_password(name: str = "dana", **members: Any) -> User:
    return users.set_password_by(link_of(added(name, **members)), PASSWORD, NOW)


def kept_user(name: str = "dana") -> User:
    kept = records.RECORDS.find(name)
    assert kept
    return kept


def link_of(made: UserView) -> str:
    assert made.link
    return made.link.rpartition("/")[2]


def signed_in(name: str = "dana", password: str = PASSWORD, code: str = "", now: datetime = NOW) -> str | None:
    return users.sign_in(name, password, code, ADDRESS, now)


def caller_of(session_id: str | None) -> Caller | None:
    return None if session_id is None else logins.caller_of(session_id, ADDRESS, NOW)


def test_link_sets_a_password_once_within_a_day() -> None:
    link = link_of(added())
    assert signed_in(password="") is None

    assert users.user_of_link(link, NOW + users.LINK_LASTS - timedelta(seconds=1)).name == "dana"
    for wrong, now in ((link, NOW + users.LINK_LASTS), (f"{link}x", NOW), ("dana.", NOW), ("", NOW), ("../x.y", NOW)):
        with pytest.raises(Refused, match="LINK_USED"):
            users.user_of_link(wrong, now)
    with pytest.raises(Refused, match="BAD_PASSWORD"):
        users.set_password_by(link, "too short", NOW)
    users.set_password_by(link, PASSWORD, NOW)
    with pytest.raises(Refused, match="LINK_USED"):
        users.set_password_by(link, "another long password", NOW)

    assert caller_of(signed_in()) == Caller("dana", Role.OPERATOR, None, ADDRESS)
    assert [signed_in(*each) for each in (("dana", f"{PASSWORD}x"), ("nobody", PASSWORD), ("", ""))] == [None] * 3
    assert PASSWORD not in store().read_bytes("users/dana.json").decode()
    assert link.split(".")[1] not in store().read_bytes("users/dana.json").decode()


@pytest.mark.parametrize("change", ["disable", "role", "reset", "password"])
def test_logins_of_a_user_end_with_what_they_began_with(change: str) -> None:
    with_password()
    session_id = signed_in()
    others = logins.begin(Caller("ruth", Role.AUDITOR), SignedInBy.PASSWORD, NOW)
    assert caller_of(session_id)

    if change == "disable":
        users.disable("dana", "admin", NOW)
    elif change == "role":
        users.set_role("dana", Role.CLERK, "source=haifa", NOW)
    elif change == "reset":
        users.reset("dana", NOW)
    else:
        users.change_password(kept_user(), "another long password", NOW, "another session")

    assert (caller_of(session_id), caller_of(others) is None) == (None, False)
    assert (signed_in() is None) is (change != "role")


def test_login_that_begins_while_its_user_is_disabled_does_not_last() -> None:
    with_password()
    with ThreadPoolExecutor(1) as thread:
        for _ in range(5):
            entering = thread.submit(signed_in)
            time.sleep(0.02)  # the password is being checked
            users.disable("dana", "admin", NOW)
            session_id = entering.result()
            assert session_id is None or caller_of(session_id) is None
            users.enable("dana", NOW)


def test_what_was_shown_before_a_reset_changes_nothing_after_it() -> None:
    with_password()
    shown, secret = users.checked("dana", PASSWORD, "", NOW), SECRET
    assert shown
    users.reset("dana", NOW)

    with pytest.raises(Conflict):
        users.change_password(shown, "another long password", NOW, "")
    with pytest.raises(Conflict):
        users.turn_codes_on(shown, secret, pyotp.TOTP(secret).at(NOW), NOW)
    assert (kept_user().code, kept_user().password) == (None, None)


def test_disabled_user_enters_after_being_enabled() -> None:
    with_password()
    users.disable("dana", "admin", NOW)
    assert signed_in() is None
    users.enable("dana", NOW)
    assert signed_in()


def test_one_time_code_is_needed_works_once_and_is_sealed() -> None:
    with_password()
    secret = SECRET
    codes = pyotp.TOTP(secret)

    assert not users.turn_codes_on(kept_user(), secret, "000000" if codes.at(NOW) != "000000" else "1", NOW)
    assert signed_in()
    assert users.turn_codes_on(kept_user(), secret, codes.at(NOW), NOW)

    then = NOW + timedelta(seconds=30)
    typed = ["", codes.at(NOW), codes.at(NOW + timedelta(minutes=5)), codes.at(then), codes.at(then)]
    assert [signed_in(code=each, now=then) is not None for each in typed] == [False, False, False, True, False]
    kept_bytes = store().read_bytes("users/dana.json")
    assert not [each for each in (secret.encode(), b64encode(secret.encode())) if each in kept_bytes]
    users.reset("dana", NOW)
    assert (kept_user().code, kept_user().password) == (None, None)


def test_key_of_the_codes_that_is_gone_is_not_replaced() -> None:
    with_password()
    secret = SECRET
    users.turn_codes_on(kept_user(), secret, pyotp.TOTP(secret).at(NOW), NOW)
    seals._kept_key_of_records.cache_clear()
    store().remove(seals.USERS_KEY)

    with pytest.raises(Conflict):
        records.sealed_code("ruth", secret)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMINISTRATOR])
def test_first_start_makes_one_user_whose_link_is_kept_until_it_is_used(configure: Configure, role: Role) -> None:
    link = users.add_first(role, NOW)
    assert link
    kept = configure().secret_path(users.FIRST_LOGIN)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(link)
    with_password()

    assert kept.exists()
    assert users.set_password_by(link.rpartition("/")[2], PASSWORD, NOW).role == role
    assert not kept.exists()
    assert users.add_first(role, NOW) is None
    for name in ("admin", "dana"):
        store().remove(f"users/{name}.json")
    configure(**PROVIDER)
    assert users.add_first(role, NOW) is None


def test_only_break_glass_enters_beside_a_provider(configure: Configure) -> None:
    with_password()
    with_password("glass", is_break_glass=True)
    configure(**PROVIDER)

    assert (signed_in(), caller_of(signed_in("glass")) is not None) == (None, True)
    assert logins.listed(NOW, "glass")[0].signed_in_by == SignedInBy.BREAK_GLASS


@pytest.mark.parametrize(
    ("name", "role", "scope", "code"),
    [
        ("Dana", Role.VIEWER, None, "BAD_NAME"),
        ("a/b", Role.VIEWER, None, "BAD_NAME"),
        ("dana@example.com", Role.VIEWER, None, "BAD_NAME"),
        ("dana", Role.CLERK, None, "BAD_PARAMETER"),
        ("dana", Role.VIEWER, "source=haifa", "BAD_PARAMETER"),
        ("dana", Role.CLERK, "branch", "BAD_PARAMETER"),
        ("dana", Role.OWNER, None, "BAD_PARAMETER"),
        ("cellar", Role.OPERATOR, None, "USER_EXISTS"),
        ("taken", Role.VIEWER, None, "USER_EXISTS"),
    ],
)
def test_user_that_cannot_be_is_refused(name: str, role: Role, scope: str | None, code: str) -> None:
    added("taken")
    with pytest.raises(Refused, match=code):
        added(name, role, scope=scope)


def test_damaged_user_lets_nobody_in(sqlite_installation: Settings) -> None:
    store().overwrite_bytes(b"{}", "users/dana.json")
    with pytest.raises(Conflict):
        signed_in()


def test_login_counts_as_its_makers_for_a_day_wherever_two_people_are_needed() -> None:
    """An administrator alone makes a further user, or a token, and is not two people by it."""
    old = NOW - timedelta(days=2)
    users.add("boss", Role.ADMINISTRATOR, "cellar", old)
    users.add("dana", Role.OPERATOR, "boss", old)
    users.add("second", Role.ADMINISTRATOR, "boss", NOW)
    users.add("third", Role.OPERATOR, "second", NOW)
    tokens.add("token", Role.OPERATOR, None, None, "boss", NOW)
    users.add("by-dana", Role.OPERATOR, "by-dana", NOW)  # a person of the shell has that name too

    pairs = [("boss", each) for each in ("second", "third", "token", "boss")] + [
        ("second", "third"),
        ("token", "third"),
    ]
    assert [users.are_two_people(*each, NOW) for each in pairs] == [False] * len(pairs)
    others = [("boss", "dana"), ("boss", "ruth@bank.example"), ("dana", "third"), ("by-dana", "boss")]
    assert [users.are_two_people(*each, NOW) for each in others] == [True] * len(others)
    later = NOW + timedelta(days=1)
    assert all(users.are_two_people(one, other, later) for one, other in pairs if one != other)
