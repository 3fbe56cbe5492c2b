"""Tokens and local users sign in, cookies, forms that come from elsewhere; an administrator decides who may sign in."""

import hashlib
import html
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyotp
import pytest
from fastapi import Request, Response
from itsdangerous import TimestampSigner

from api.console.frame import cookies
from models.access import Role
from services.access import users
from tests.api.conftest import LINK_KEY, TOKEN
from tests.api.console.conftest import Browser, Console, csrf_of, posted
from tests.api.test_access import every_route
from tests.installations import installed

LOGIN, PASSWORD = {"token": TOKEN}, "four words nobody knows"
_OF_FILES = {f"GET /console/archives/{{reference:path}}/files/{{sha256}}{end}" for end in ("", "/view")}
_LINK = re.compile(r"http://[^<\"]+/console/password/[^<\"]+")
AWAY = (
    *("https://example.com/", "//example.com/", "/console//example.com", "/console/\\x", "x"),
    *("/console/../docs", "/console/%2E./docs"),
)


def test_login_leads_to_the_page_that_was_asked_for_and_to_no_other_place(visitor: httpx.Client) -> None:
    wanted = "/console/archives?q=%D7%97%D7%99%D7%A4%D7%94"
    asked = visitor.get(wanted)
    then = visitor.get(asked.headers["location"]).text.rpartition('name="then" value="')[2].split('"')[0]
    assert asked.status_code == 303

    for sent, place in ((then, wanted), *((each, "/console/") for each in AWAY)):
        assert posted(visitor, "/console/login", {**LOGIN, "then": sent}).headers["location"] == place
    assert visitor.get(wanted).status_code == 200


def test_wrong_tokens_are_refused_counted_and_limited_by_address_and_nobody_is_locked_out(
    console: Console, visitor: httpx.Client, person: httpx.Client
) -> None:
    for client in (visitor, person):
        client.headers["x-forwarded-for"] = "198.51.100.7"

    answers = [posted(visitor, "/console/login", {"token": "wrong"}) for _ in range(25)]

    assert [each.status_code for each in answers] == [403] * 20 + [429] * 5
    assert "not a token of this installation" in answers[0].text
    assert "too often" in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) in range(1, 61)
    assert '"door":"console"' in console.receiver.log.read_text()
    assert [each.get("/console/archives").status_code for each in (visitor, person)] == [303, 200]
    assert posted(visitor, "/console/login", LOGIN).status_code == 303


def test_cookie_is_kept_from_scripts_and_from_forms_of_other_sites_for_half_an_hour(visitor: httpx.Client) -> None:
    posted(visitor, "/console/login", LOGIN)
    plain = visitor.get("/console/archives").headers["set-cookie"].split("; ")
    behind_tls = visitor.get("/console/login", headers={"cookie": "", "x-forwarded-proto": "https"})

    assert {"HttpOnly", "SameSite=lax", "Path=/console", "Max-Age=1800"} <= set(plain)
    assert "Secure" not in plain
    assert "Secure" in behind_tls.headers["set-cookie"].split("; ")


def test_cookies_of_a_public_url_of_https_are_bound_to_the_host(tmp_path: Path) -> None:
    with installed(tmp_path, public_url="https://cellar.example.com"):
        answer, asked = Response(), Request({"type": "http", "scheme": "http", "headers": []})
        cookies.VISITOR.keep(asked, answer, "somebody")
        cookies.keep_choices(asked, answer, "he", None)
        cookies.COLUMNS.keep(asked, answer, "")
        kept = answer.headers.getlist("set-cookie")
        sent = "; ".join(each.partition(";")[0] for each in kept).encode()

        assert all(each.startswith("__Host-cellar_") for each in kept)
        assert all({"Secure", "Path=/", "HttpOnly"} <= set(each.split("; ")) for each in kept)
        for cookie, read in ((sent, ("somebody", "he")), (sent.replace(b"__Host-", b""), (None, None))):
            again = Request({"type": "http", "headers": [(b"cookie", cookie)]})
            assert (cookies.VISITOR.read(again), cookies.language_choice(again)) == read


class _Earlier(TimestampSigner):
    def get_timestamp(self) -> int:
        return int(time.time()) - 30 * 60 - 60


def test_cookie_of_a_login_before_that_idled_was_changed_or_signed_out_is_nobodys(
    console: Console, visitor: httpx.Client
) -> None:
    def status(cookie: str) -> int:
        with console.visitor() as copy:
            return copy.get("/console/archives", headers={"cookie": f"cellar_visitor={cookie}"}).status_code

    sent = list[str]()
    for path in ("login", "login", "archives"):
        visitor.get(f"/console/{path}")
        sent.append(visitor.cookies["cellar_visitor"])
        posted(visitor, "/console/login", LOGIN)
    now = visitor.cookies["cellar_visitor"]
    signer = _Earlier(LINK_KEY, salt="console-visitor", digest_method=hashlib.sha256)
    sent += [signer.sign(now.split(".")[0]).decode(), ("A" if now[0] != "A" else "B") + now[1:]]

    assert [status(each) for each in sent] == [303] * 5
    assert status(now) == 200
    assert posted(visitor, "/console/logout", {}).headers["location"] == "/console/login"
    assert status(now) == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        *(({"origin": each}, 403) for each in ("https://evil.example", "http://127.0.0.1:1", "null", "")),
        *(({"sec-fetch-site": each}, 403) for each in ("cross-site", "same-site", "none")),
        ({"origin": "own"}, 303),
    ],
)
def test_form_of_another_site_is_refused_by_its_origin_too_where_the_browser_names_no_site(
    console: Console, person: httpx.Client, headers: dict[str, str], status: int
) -> None:
    """A form of anybody, with its token; `tests/api/test_access.py` has those of people."""
    sent = {name: console.url if each == "own" else each for name, each in headers.items()}

    answer = person.post("/console/logout", data={"csrf": csrf_of(person)}, headers=sent)

    assert (answer.status_code, "FORM_FROM_ELSEWHERE" in answer.text) == (status, status == 403)


def test_form_without_its_token_or_that_is_no_form_is_refused(console: Console, person: httpx.Client) -> None:
    with console.visitor() as other:
        theirs = f"csrf={csrf_of(other)}".encode()
    for body, status in ((b"csrf=x", 403), (theirs, 403), (b"a" * 300_000, 413)):
        assert person.post("/console/logout", content=body).status_code == status
    for body in (b"\xff=1", b"a=%00", b"a=%ff"):
        assert person.post("/console/logout", content=body).status_code == 422
    assert person.get("/console/archives").status_code == 200


def test_person_signs_in_chooses_a_language_and_signs_out_without_script(console: Console, browser: Browser) -> None:
    opened = browser.page.context.browser
    assert opened
    with opened.new_context(java_script_enabled=False) as context:
        plain = Browser(context.new_page(), console.url)
        plain.sign_in()
        assert plain.page.locator("h1").inner_text() == "Overview"
        plain.follow(plain.page.get_by_role("button", name="עברית"))
        assert plain.page.locator("html").get_attribute("dir") == "rtl"
        plain.follow(plain.page.get_by_role("button", name="יציאה"))
        assert plain.page.url.endswith("/console/login")


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
def signed_in(console: Console, name: str, address: str = "192.0.2.1") -> Iterator[httpx.Client]:
    with console.visitor() as client:
        assert tried(client, name, PASSWORD, address) == 303
        yield client


def tried(client: httpx.Client, name: str, password: str, address: str, code: str = "") -> int:
    client.headers["x-forwarded-for"] = address
    return posted(client, "/console/login", {"name": name, "password": password, "code": code}).status_code


def recorded(console: Console, action: str) -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {console.receiver.token}"}
    answer = console.receiver.client.get(f"/api/access?action={action}", headers=headers)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


@pytest.mark.parametrize(
    ("role", "statuses"),
    [("administrator", [200, 403]), ("operator", [403, 200]), ("viewer", [403, 200])],
)
def test_login_carries_the_role_of_the_user(staffed: Console, role: str, statuses: list[int]) -> None:
    with signed_in(staffed, role) as client:
        pages = [client.get(f"/console/{path}") for path in ("people", "archives", "me")]

    assert [each.status_code for each in pages] == [*statuses, 200]
    assert f">{role}</bdi>" in pages[-1].text


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
        for typed, status in (("short", 422), ("another", 422), (PASSWORD, 303)):
            again = "short" if typed == "short" else PASSWORD
            is_set = posted(visitor, path, {"password": typed, "again": again})
            assert is_set.status_code == status
        pages = (is_set.headers["location"], "/console/archives", path, f"{path}x")
        assert [visitor.get(each).status_code for each in pages] == [200, 200, 404, 404]
        for change, form in (("role", {"role": "viewer"}), ("disable", dict[str, str]())):
            with signed_in(staffed, "ruth") as ruth:
                assert ruth.get("/console/archives").status_code == 200
                assert posted(boss, f"/console/people/ruth/{change}", form).status_code == 303
                assert ruth.get("/console/archives").status_code == 303
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
        code = pyotp.TOTP(secret)
        for typed, status in (
            ({"secret": secret, "first": "1"}, 422),
            ({"secret": chosen, "first": pyotp.TOTP(chosen).now()}, 422),  # the browser's secret is nobody's
            ({"first": code.now()}, 303),
        ):
            assert posted(person, "/console/me/code", {"password": new, **typed}).status_code == status
        assert tried(visitor, "data", new, "192.0.2.4") == 403
        guesses = [tried(visitor, "data", "wrong", f"203.0.114.{number}") for number in range(51)]
        assert guesses == [403] * 51  # the name is locked for nobody
        following = code.at(datetime.now(UTC) + timedelta(seconds=30))
        assert tried(visitor, "data", new, "192.0.2.4", following) == 303


def test_pages_with_users_fit_a_phone_and_can_be_read_by_all(staffed: Console, browser: Browser) -> None:
    with installed(staffed.folder, **staffed.settings):
        link = users.add("of-the-page", Role.VIEWER, "owner", datetime.now(UTC)).link
    assert link
    for path in ("/console/people", urlsplit(link).path):
        assert browser.faults(path) == []
