"""Local users sign in, people see and end logins, and an administrator decides who may sign in."""

import html
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyotp
import pytest

from models.access import Role
from services.access import users
from tests.api.console.conftest import Browser, Console, posted
from tests.api.test_access import every_route
from tests.installations import installed

PASSWORD = "four words nobody knows"
_OF_FILES = {f"GET /console/archives/{{reference:path}}/files/{{sha256}}{end}" for end in ("", "/view")}
_LINK = re.compile(r"http://[^<\"]+/console/password/[^<\"]+")


@pytest.fixture(scope="module")
def staffed(console: Console) -> Console:
    """The console with a user of each role."""
    with installed(console.folder, **console.settings):
        for role in set(Role) - {Role.OWNER}:
            scope = "source=haifa" if role is Role.CLERK else None
            link = users.add(role.value, role, "owner", datetime.now(UTC), scope=scope).link
            assert link
            users.set_password_by(link.rpartition("/")[2], PASSWORD, datetime.now(UTC))
    return console


@contextmanager
def signed_in(
    console: Console, name: str, address: str = "192.0.2.1", password: str = PASSWORD
) -> Iterator[httpx.Client]:
    with console.visitor() as client:
        client.headers["x-forwarded-for"] = address
        entered = posted(client, "/console/login", {"name": name, "password": PASSWORD})
        assert entered.status_code == 303, entered.text
        yield client


def tried(client: httpx.Client, name: str, password: str, address: str, code: str = "") -> int:
    client.headers["x-forwarded-for"] = address
    return posted(client, "/console/login", {"name": name, "password": password, "code": code}).status_code


def recorded(console: Console, action: str) -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {console.receiver.token}"}
    found: list[dict[str, Any]] = console.receiver.client.get(f"/api/access?action={action}", headers=headers).json()[
        "items"
    ]
    return found


@pytest.mark.parametrize(
    ("role", "pages"),
    [
        ("administrator", {"/people": 200, "/archives": 403, "/me": 200}),
        ("operator", {"/people": 403, "/archives": 200, "/me": 200}),
        ("viewer", {"/people": 403, "/archives": 200, "/me": 200}),
    ],
)
def test_login_carries_the_role_of_the_user(staffed: Console, role: str, pages: dict[str, int]) -> None:
    with signed_in(staffed, role) as client:
        assert {path: client.get(f"/console{path}").status_code for path in pages} == pages
        assert f">{role}</bdi>" in client.get("/console/me").text


@pytest.mark.usefixtures("staffed")
def test_pages_offer_a_role_nothing_that_it_may_not_do(troubled: Console) -> None:
    routes = [(each, re.compile(_path_pattern(each.name))) for each in every_route() if "/console" in each.name]
    wrong, offered = set[tuple[str, str]](), dict[str, set[str]]()
    for role in set(Role) - {Role.OWNER}:
        with signed_in(troubled, role) as client:
            waiting, seen = ["GET /console/"], set[str]()
            while waiting:
                page = client.get(waiting.pop().removeprefix("GET "), follow_redirects=True)
                links = {f"GET {each}" for each in re.findall(r'href="(/console/[^"#]*)"', page.text)}
                forms = {f"POST {each}" for each in re.findall(r'(?:post" |form)action="(/console/[^"]*)"', page.text)}
                for each in sorted(links | forms):
                    route = next(known for known, pattern in routes if pattern.fullmatch(each.partition("?")[0]))
                    if route.action and not route.is_for(role):
                        wrong.add((role, route.name))
                    elif each in links and route.action and route.name not in seen | _OF_FILES:
                        waiting.append(html.unescape(each))
                    seen.add(route.name)
            offered[role] = seen

    assert wrong == set()
    assert {"POST /console/{trouble}/decide", "POST /console/archives/plan"} < offered[Role.OPERATOR]
    assert "POST /console/endpoints/{name}/test" in offered[Role.ADMINISTRATOR]


def _path_pattern(name: str) -> str:
    return re.sub(r"\\{[^}]+\\}", "[^/]+", re.sub(r"\\{\w+:path\\}", ".+", re.escape(name)))


def test_wrong_login_says_the_same_of_a_known_and_an_unknown_name(staffed: Console) -> None:
    with staffed.visitor() as client:
        client.headers["x-forwarded-for"] = "192.0.2.2"
        sent = [posted(client, "/console/login", {"name": name, "password": "wrong"}) for name in ("viewer", "nobody")]

    assert [each.status_code for each in sent] == [403, 403]
    denied = [each for each in recorded(staffed, "enter") if each["outcome"] == "denied"]
    assert [each["person"] for each in denied if each["address"] == "192.0.2.2"] == ["(unknown)", "viewer"]
    assert "nobody" not in str(denied)
    assert len({re.sub(r'value="[^"]*"', "", each.text) for each in sent}) == 1


def test_known_and_unknown_names_take_the_same_time(staffed: Console) -> None:
    """With `checked` itself, since a page takes longer than what a difference would be."""
    took: dict[str, list[float]] = {"viewer": [], "nobody": [], "": []}
    with installed(staffed.folder, **staffed.settings):
        for _ in range(3):
            for name, times in took.items():
                began = time.thread_time()
                assert users.checked(name, "wrong", "", datetime.now(UTC)) is None
                times.append(time.thread_time() - began)

    least = [min(each) for each in took.values()]
    assert max(least) < 2 * min(least)


def test_passwords_are_limited_by_address_and_no_honest_person_is_locked_out(staffed: Console) -> None:
    with staffed.visitor() as thief, signed_in(staffed, "auditor", "198.51.100.9") as known, staffed.visitor() as new:
        assert [tried(thief, "auditor", "wrong", "203.0.113.1") for _ in range(22)] == [403] * 20 + [429] * 2
        assert tried(thief, "auditor", PASSWORD, "203.0.113.1") == 429
        assert tried(new, "auditor", PASSWORD, "198.51.100.10") == 303
        assert tried(known, "auditor", PASSWORD, "203.0.113.1") == 303


def test_administrator_adds_a_user_who_sets_a_password_once(staffed: Console) -> None:
    with signed_in(staffed, "administrator") as boss, staffed.visitor() as visitor:
        added = posted(boss, "/console/people", {"name": "ruth", "role": "operator"})
        found = _LINK.search(added.text)
        assert found
        path = urlsplit(found[0]).path
        assert posted(visitor, path, {"password": "short", "again": "short"}).status_code == 422
        assert posted(visitor, path, {"password": PASSWORD, "again": "another"}).status_code == 422
        is_set = posted(visitor, path, {"password": PASSWORD, "again": PASSWORD})
        assert visitor.get(is_set.headers["location"]).status_code == 200
        assert visitor.get("/console/archives").status_code == 200
        assert [visitor.get(path).status_code, visitor.get(f"{path}x").status_code] == [404, 404]
        with signed_in(staffed, "ruth") as ruth:
            assert ruth.get("/console/archives").status_code == 200
            assert posted(boss, "/console/people/ruth/role", {"role": "viewer"}).status_code == 303
            assert ruth.get("/console/archives").status_code == 303
        with signed_in(staffed, "ruth") as ruth:
            assert posted(boss, "/console/people/ruth/disable", {}).status_code == 303
            assert ruth.get("/console/me").status_code == 303
            assert tried(visitor, "ruth", PASSWORD, "192.0.2.3") == 403
        wrong = [{"name": "ruth", "role": "viewer"}, {"name": "R", "role": "viewer"}, {"name": "x", "role": "clerk"}]
        assert [posted(boss, "/console/people", each).status_code for each in wrong] == [409, 422, 422]
        assert posted(boss, "/console/people/nobody/enable", {}).status_code == 404
    changed = [each["detail"] for each in recorded(staffed, "change_people") if each["detail"].get("name") == "ruth"]
    assert {(each.get("change"), each.get("role")) for each in changed} >= {(None, "operator"), ("role", "viewer")}


def test_people_end_their_own_logins_alone(staffed: Console) -> None:
    with signed_in(staffed, "operator") as one, signed_in(staffed, "operator") as second:
        login = re.findall(r'name="login" value="([0-9a-f]{64})"', one.get("/console/me").text)[0]
        with signed_in(staffed, "viewer") as other:
            assert posted(other, "/console/me/sign-out", {"login": login}).status_code == 303
        assert second.get("/console/me").status_code == 200
        posted(one, "/console/me/sign-out", {"login": login})
        assert sorted(each.get("/console/me").status_code for each in (one, second)) == [200, 303]


def test_person_changes_the_password_and_turns_codes_on_by_showing_the_old_one(staffed: Console) -> None:
    new, chosen = "another four words", pyotp.random_base32()
    with signed_in(staffed, "data") as person, signed_in(staffed, "data") as elsewhere, staffed.visitor() as visitor:
        change = {"password": PASSWORD, "new": new, "again": new}
        for wrong in ({"password": "wrong"}, {"again": "other"}, {"new": "short", "again": "short"}):
            assert posted(person, "/console/me/password", {**change, **wrong}).status_code == 422
        assert posted(person, "/console/me/password", change).status_code == 303
        assert (person.get("/console/me").status_code, elsewhere.get("/console/me").status_code) == (200, 303)

        shown = re.search(r"<code>([A-Z2-7 ]+)</code>", person.get("/console/me").text)
        assert shown
        secret = shown[1].replace(" ", "")
        assert secret not in elsewhere.get("/console/me").text.replace(" ", "")
        for sent, first, status in ((secret, "1", 422), (chosen, pyotp.TOTP(chosen).now(), 422)):
            typed = {"password": new, "secret": sent, "first": first}  # the browser's secret is nobody's
            assert posted(person, "/console/me/code", typed).status_code == status
        first = pyotp.TOTP(secret).now()
        assert posted(person, "/console/me/code", {"password": new, "first": first}).status_code == 303
        assert tried(visitor, "data", new, "192.0.2.4") == 403
        guesses = [tried(visitor, "data", "wrong", f"203.0.114.{number}") for number in range(51)]
        assert guesses == [403] * 51  # the name is locked for nobody
        assert (
            tried(visitor, "data", new, "192.0.2.4", pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30)))
            == 303
        )


def test_pages_with_users_fit_a_phone_and_can_be_read_by_all(staffed: Console, browser: Browser) -> None:
    with installed(staffed.folder, **staffed.settings):
        link = users.add("of-the-page", Role.VIEWER, "owner", datetime.now(UTC)).link
    assert link
    for path, language, theme in (("/console/people", "he", "dark"), (urlsplit(link).path, "en", "light")):
        page = browser.open(path, language, theme)
        page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
        assert browser.violations() == []
        page.set_viewport_size({"width": 360, "height": 740})
        assert browser.overflow_px() == 0
        page.set_viewport_size({"width": 1280, "height": 800})
