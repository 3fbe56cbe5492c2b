"""Signing in to the console, its cookies, and forms that come from elsewhere."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import Request, Response
from itsdangerous import TimestampSigner

from api.console.frame import cookies
from tests.api.conftest import LINK_KEY, TOKEN
from tests.api.console.conftest import Browser, Console, csrf_of, posted
from tests.installations import installed

LOGIN = {"token": TOKEN}
_ELSEWHERE = "FORM_FROM_ELSEWHERE"


@pytest.fixture
def visitor(console: Console) -> Iterator[httpx.Client]:
    with console.visitor() as client:
        yield client


@pytest.fixture
def person(console: Console) -> Iterator[httpx.Client]:
    with console.person() as client:
        yield client


def test_page_without_a_login_leads_to_the_login_and_back(visitor: httpx.Client) -> None:
    wanted = "/console/archives?q=%D7%97%D7%99%D7%A4%D7%94"

    asked = visitor.get(wanted)
    login = visitor.get(asked.headers["location"])
    then = login.text.rpartition('name="then" value="')[2].split('"')[0]
    signed_in = posted(visitor, "/console/login", {**LOGIN, "then": then})

    assert asked.status_code == 303
    assert signed_in.headers["location"] == wanted
    assert visitor.get(wanted).status_code == 200


@pytest.mark.parametrize(
    "then",
    [
        "https://example.com/",
        "//example.com/",
        "/console//example.com",
        "/console/\\x",
        "x",
        "/console/../docs",
        "/console/%2E./docs",
    ],
)
def test_login_sends_nobody_to_another_place(visitor: httpx.Client, then: str) -> None:
    assert posted(visitor, "/console/login", {**LOGIN, "then": then}).headers["location"] == "/console/"


def test_wrong_token_is_refused_and_counted(console: Console, visitor: httpx.Client) -> None:
    answer = posted(visitor, "/console/login", {"token": "wrong"})

    assert answer.status_code == 403
    assert "not a token of this installation" in answer.text
    assert visitor.get("/console/archives").status_code == 303
    assert '"door":"console"' in console.receiver.log.read_text()


def test_wrong_tokens_are_limited_by_address_and_nobody_is_locked_out(
    console: Console, visitor: httpx.Client, person: httpx.Client
) -> None:
    address = {"x-forwarded-for": "198.51.100.7"}
    for client in (visitor, person):
        client.headers.update(address)

    answers = [posted(visitor, "/console/login", {"token": "wrong"}) for _ in range(25)]

    assert [each.status_code for each in answers] == [403] * 20 + [429] * 5
    assert "too often" in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) in range(1, 61)
    assert person.get("/console/archives").status_code == 200
    assert posted(visitor, "/console/login", LOGIN).status_code == 303


def test_cookie_is_kept_from_scripts_and_from_forms_of_other_sites(visitor: httpx.Client) -> None:
    cookie = posted(visitor, "/console/login", LOGIN).headers["set-cookie"]
    behind_tls = visitor.get("/console/login", headers={"cookie": "", "x-forwarded-proto": "https"}).headers[
        "set-cookie"
    ]

    assert {"HttpOnly", "SameSite=lax", "Path=/console"} <= set(cookie.split("; "))
    assert "Secure" not in cookie.split("; ")
    assert "Secure" in behind_tls.split("; ")


def test_cookies_of_a_public_url_of_https_are_bound_to_the_host(tmp_path: Path) -> None:
    with installed(tmp_path, public_url="https://cellar.example.com"):
        answer, asked = Response(), Request({"type": "http", "scheme": "http", "headers": []})
        cookies.VISITOR.keep(asked, answer, "somebody")
        cookies.keep_choices(asked, answer, "he", None)
        cookies.COLUMNS.keep(asked, answer, "")
        kept = answer.headers.getlist("set-cookie")
        sent = "; ".join(each.partition(";")[0] for each in kept)
        again = Request({"type": "http", "headers": [(b"cookie", sent.encode())]})

        assert all(each.startswith("__Host-cellar_") for each in kept)
        assert all({"Secure", "Path=/", "HttpOnly"} <= set(each.split("; ")) for each in kept)
        assert (cookies.VISITOR.read(again), cookies.language_choice(again)) == ("somebody", "he")
        plain = Request({"type": "http", "headers": [(b"cookie", sent.replace("__Host-", "").encode())]})
        assert (cookies.VISITOR.read(plain), cookies.language_choice(plain)) == (None, None)


class _Earlier(TimestampSigner):
    def get_timestamp(self) -> int:
        return int(time.time()) - 30 * 60 - 60


def test_login_ends_after_half_an_hour_without_a_page(person: httpx.Client) -> None:
    now = person.cookies["cellar_visitor"]
    earlier = _Earlier(LINK_KEY, salt="console-visitor", digest_method=hashlib.sha256).sign(now.split(".")[0]).decode()
    person.cookies.clear()

    for cookie, status in ((now, 200), (earlier, 303)):
        assert person.get("/console/archives", headers={"cookie": f"cellar_visitor={cookie}"}).status_code == status


def test_each_page_of_a_person_begins_the_half_hour_anew(person: httpx.Client) -> None:
    assert "Max-Age=1800" in person.get("/console/archives").headers["set-cookie"]


def test_login_gives_the_visitor_a_new_id(visitor: httpx.Client) -> None:
    visitor.get("/console/login")
    before = visitor.cookies["cellar_visitor"]

    posted(visitor, "/console/login", LOGIN)

    assert visitor.cookies["cellar_visitor"] != before
    visitor.cookies.clear()
    visitor.cookies.set("cellar_visitor", before)
    assert visitor.get("/console/archives").status_code == 303


def test_login_of_a_browser_ends_its_login_before(visitor: httpx.Client) -> None:
    posted(visitor, "/console/login", LOGIN)
    before = visitor.cookies["cellar_visitor"]
    posted(visitor, "/console/login", LOGIN)
    assert visitor.get("/console/archives").status_code == 200

    visitor.cookies.clear()
    visitor.cookies.set("cellar_visitor", before, path="/console")

    assert visitor.get("/console/archives").status_code == 303


def test_changed_cookie_is_nobodys(person: httpx.Client) -> None:
    signed = person.cookies["cellar_visitor"]
    person.cookies.clear()
    person.cookies.set("cellar_visitor", ("A" if signed[0] != "A" else "B") + signed[1:])

    assert person.get("/console/archives").status_code == 303


def test_logout_ends_the_login_itself(console: Console, person: httpx.Client) -> None:
    cookie = person.cookies["cellar_visitor"]

    assert posted(person, "/console/logout", {}).headers["location"] == "/console/login"

    with console.visitor() as copy:
        copy.cookies.set("cellar_visitor", cookie)
        assert copy.get("/console/archives").status_code == 303


class TestForm:
    def test_without_the_token_of_the_page_is_refused(self, person: httpx.Client) -> None:
        answer = person.post("/console/logout", data={"csrf": "x"})

        assert (answer.status_code, _ELSEWHERE in answer.text) == (403, True)
        assert person.get("/console/archives").status_code == 200

    def test_with_the_token_of_another_visitor_is_refused(self, console: Console, person: httpx.Client) -> None:
        with console.visitor() as other:
            other.get("/console/login")
            theirs = csrf_of(other)

        assert person.post("/console/logout", data={"csrf": theirs}).status_code == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
    def test_of_another_site_is_refused_even_with_the_token(self, person: httpx.Client, site: str) -> None:
        answer = person.post("/console/logout", data={"csrf": csrf_of(person)}, headers={"sec-fetch-site": site})

        assert (answer.status_code, _ELSEWHERE in answer.text) == (403, True)

    @pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null", ""])
    def test_of_another_origin_is_refused_where_the_browser_names_no_site(
        self, person: httpx.Client, origin: str
    ) -> None:
        person.headers.pop("sec-fetch-site", None)
        answer = person.post("/console/logout", data={"csrf": csrf_of(person)}, headers={"origin": origin})

        assert (answer.status_code, _ELSEWHERE in answer.text) == (403, True)

    def test_of_this_origin_is_taken_where_the_browser_names_no_site(self, person: httpx.Client) -> None:
        own = f"http://{person.base_url.netloc.decode()}"
        answer = person.post("/console/logout", data={"csrf": csrf_of(person)}, headers={"origin": own})

        assert answer.status_code == 303

    @pytest.mark.parametrize(
        ("body", "status"), [(b"a" * 300_000, 413), (b"\xff=1", 422), (b"a=%00", 422), (b"a=%ff", 422)]
    )
    def test_that_is_no_form_is_refused(self, person: httpx.Client, body: bytes, status: int) -> None:
        assert person.post("/console/logout", content=body).status_code == status


def test_person_signs_in_and_out_without_script(console: Console, browser: Browser) -> None:
    opened = browser.page.context.browser
    assert opened
    with opened.new_context(java_script_enabled=False) as context:
        plain = Browser(context.new_page(), console.url)
        plain.sign_in()
        assert plain.page.locator("h1").inner_text() == "Overview"
        plain.page.fill("#search", "contract")
        with plain.page.expect_navigation():
            plain.page.press("#search", "Enter")
        assert plain.page.locator("tr[data-reference]").get_attribute("data-reference") == "contract"
        plain.follow(plain.page.get_by_role("button", name="עברית"))
        assert plain.page.locator("html").get_attribute("dir") == "rtl"
        plain.follow(plain.page.get_by_role("button", name="יציאה"))
        assert plain.page.url.endswith("/console/login")
