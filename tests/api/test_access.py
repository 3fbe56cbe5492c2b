"""Each route names what it does, and lets those do it whom the rules permit."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlmodel import select
from starlette.routing import Mount, Route

from api.access import Acts
from api.app import app
from api.console.console import console
from domain.access import is_allowed
from models.access import AccessRow, Action, Role
from services.access import tokens
from tests.api.conftest import TOKEN, Receiver, from_a_new_address, started
from tests.api.console.conftest import csrf_of, posted
from tests.conftest import make_tables, wait_until
from tests.installations import archived, installed
from tests.records import all_of
from tests.samples import sample_body, sample_document

OF_FASTAPI = {"/openapi.json", "/docs", "/docs/oauth2-redirect"}
OPEN = {
    *(f"GET {each}" for each in OF_FASTAPI),
    *("GET /healthz", "GET /readyz", "GET /d/{token}", "GET /console"),
    *("POST /oauth/token", "POST /oauth/token/"),
    *("POST /webhooks/cellosign", "POST /webhooks/cellosign/"),
    *("POST /webhooks/cellosign/{source}", "POST /webhooks/cellosign/{source}/"),
    *("GET /console/login", "POST /console/login", "POST /console/logout", "POST /console/choices"),
    *("GET /console/login/provider", "GET /console/login/provider/back"),
    *("GET /console/password/{link}", "POST /console/password/{link}"),
    "GET /console/static/{digest}/{name:path}",
}
"""The routes that need no caller."""
OF_NOBODY = {
    *("GET /console/tables", "GET /console/tables/{name}", "GET /console/person"),
    *("GET /console/missing/list", "GET /console/endpoints/new"),
}
"""The pages that show nothing of anybody, beside those of each caller's own login: only who is denied is recorded."""


@dataclass(frozen=True, slots=True)
class Named:
    """A route as a request names it, its first action with the others, and why it is open to anybody."""

    name: str
    action: Action | None
    why: str
    others: tuple[Action, ...] = ()

    def is_for(self, role: Role) -> bool:
        return self.action is not None and all(is_allowed(role, each) for each in (self.action, *self.others))


def every_route() -> list[Named]:
    """Return the routes of the application, with those of the console."""
    return [*_named(app.routes, ""), *_named(console.routes, "/console")]


def _named(routes: Iterable[Any], prefix: str) -> Iterator[Named]:
    for each in routes:
        if isinstance(each, Route):
            path = f"{prefix}{each.path}"
            made = each.dependencies if isinstance(each, APIRoute) else []
            acts = [one.dependency.action for one in made if isinstance(one.dependency, Acts)]
            why = getattr(each.endpoint, "open_to_anybody", "FastAPI's own" if path in OF_FASTAPI else "")
            for method in (each.methods or set()) - {"HEAD"}:
                yield Named(f"{method} {path}", acts[0] if acts else None, why, tuple(acts[1:]))
        elif not isinstance(each, Mount):  # a router that is included
            yield from _named(each.original_router.routes, prefix)


def test_each_route_names_its_action_or_why_anybody_may_ask() -> None:
    routes = every_route()

    assert {each.name for each in routes if each.action is None} == OPEN
    assert {each.name for each in routes if each.why} == OPEN
    assert len(routes) > 90


HERE, ELSEWHERE, NOWHERE = "haifa-1", "eilat-1", "nobody-1"
"""References of an archive of the clerk's branch, of another branch's, and of none."""
NOW = datetime.now(UTC)
_VALUES = {
    "sha256": "0" * 64,
    "name:archive_list": "files",
    "action": "pause",
    "change": "enable",
    "trouble": "refused",
}


@dataclass
class Doors:
    """A running installation, and a caller of each kind: of its API by a token, and of its console by a login."""

    receiver: Receiver
    folder: Path
    tokens: dict[str, str]
    browsers: dict[str, httpx.Client] = field(default_factory=dict)

    def ask(self, route: Named, who: str, reference: str = NOWHERE, **headers: str) -> httpx.Response:
        """Send a request to a route, as a page of ours would do if it is one of the console."""
        method, path = route.name.split()
        path = re.sub(r"{([^}]+)}", lambda part: {"reference:path": reference, **_VALUES}.get(part[1], "x"), path)
        if not path.startswith("/console"):
            presented = {"authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
            body: dict[str, str] | None = None if method == "GET" else {}
            return self.receiver.client.request(
                method, path, json=body, headers=from_a_new_address() | presented | headers
            )
        browser = self.browsers[who]
        form = {"csrf": browser.headers["x-csrf"]} if method == "POST" else None
        sent = from_a_new_address() | {"sec-fetch-site": "same-origin"} | headers
        return browser.request(method, path, data=form, headers=sent)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("doors")
    made = dict[str, str]()
    with ExitStack() as stack, installed(folder, api_tokens=TOKEN):
        make_tables()
        for reference, branch in ((HERE, "Haifa"), (ELSEWHERE, "Eilat")):
            session = sample_document()["sessions"][0] | {"labels": {"BRANCH": branch}}
            archived(reference, sample_body(reference, sessions=[session]))
        for role in Role:
            if role is not Role.OWNER:
                scope = "label:BRANCH=Haifa" if role is Role.CLERK else None
                made[role] = tokens.add(role, role, scope, None, "a test", NOW).token
        made["other source"] = tokens.add("north", Role.CLERK, "source=north", None, "a test", NOW).token
        made["expired"] = tokens.add("old", Role.OPERATOR, None, NOW - timedelta(seconds=1), "a test", NOW).token
        made["revoked"] = tokens.add("gone", Role.OPERATOR, None, None, "a test", NOW).token
        receiver = stack.enter_context(started())
        receiver.read(made["revoked"])
        found = Doors(receiver, folder, {**made, "owner": TOKEN, "wrong": made[Role.OPERATOR][:-1]})
        for who in (*found.tokens, "nobody"):
            found.browsers[who] = stack.enter_context(_browser(receiver, found.tokens.get(who)))
        tokens.revoke("gone", "a test", NOW)
        yield found


@contextmanager
def _browser(receiver: Receiver, token: str | None) -> Iterator[httpx.Client]:
    with receiver.visitor() as client:
        client.headers.update(from_a_new_address())
        if token:
            posted(client, "/console/login", {"token": token})
        client.headers["x-csrf"] = csrf_of(client)
        yield client


def _is_out(doors: Doors, who: str) -> bool:
    return doors.ask(Named("GET /api/archives", Action.LIST_ARCHIVES, ""), who).status_code == 401


def _acting() -> list[Named]:
    """Return the routes that name an action, without nginx's own, whose answers tests/deploy tries."""
    routes = [each for each in every_route() if each.action is not None]
    return [each for each in routes if each.name != "GET /console/prefect-access"]


def _is_refused(answer: httpx.Response) -> bool:
    """Return whether the role of the caller may not do this, which the answer says."""
    if answer.status_code == 403:
        assert "FORBIDDEN" in answer.text, answer.text
        return True
    assert answer.status_code != 401, answer.text
    assert answer.status_code < 500, answer.text
    assert not answer.headers.get("location", "").startswith("/console/login")
    return False


def test_each_role_does_what_the_rules_permit_and_each_act_has_its_row(doors: Doors) -> None:
    wrong, rows = list[tuple[str, str]](), dict[str, int]()
    before = _rows(doors)
    with ThreadPoolExecutor(len(Role)) as threads:  # requests at the same time share a commit
        asked = threads.map(lambda role: [(each, doors.ask(each, role)) for each in _acting()], Role)
    for role, answers in zip(Role, asked, strict=True):
        for route, answer in answers:
            is_refused = _is_refused(answer)
            if is_refused is route.is_for(role):
                wrong.append((role, route.name))
            is_kept = route.name not in OF_NOBODY and route.action not in (Action.ENTER, Action.READ_METRICS)
            is_of_another = role is Role.CLERK and "{reference" in route.name
            outcome = "denied" if is_refused or is_of_another else "allowed"
            if is_refused or is_kept:
                rows[outcome] = rows.get(outcome, 0) + 1

    assert wrong == []
    with installed(doors.folder, api_tokens=TOKEN):
        recorded = all_of(select(AccessRow))[before:]
    assert Counter(each.outcome for each in recorded) == rows
    read = {each.action for each in recorded if each.detail["route"].startswith("GET ") and each.outcome == "allowed"}
    assert read & {Action.CHANGE_PEOPLE, Action.CHANGE_SETTINGS, Action.FIND_PERSON} == set()


def test_only_what_a_page_or_a_program_asks_by_itself_is_recorded_once_an_hour(doors: Doors) -> None:
    before = _rows(doors)
    for path in (f"archives/{HERE}", "archives?q=x", "arrivals?since=200{}", "activity?since=200{}"):
        for number in range(3):
            by_itself = {"hx-request": "true", "hx-trigger": path.partition("?")[0]}
            asked = f"/console/{path.format(f'{number}-01-01T00:00:00Z')}"
            assert doors.browsers[Role.OPERATOR].get(asked, headers=by_itself).status_code == 200
    assert _rows(doors) - before == 3 + 3 + 1 + 1

    of_a_part = {"hx-trigger": "taken", "sec-fetch-site": "same-origin"}  # a change is recorded, whatever it says it is
    operator = doors.browsers[Role.OPERATOR]
    form: dict[str, Any] = {"data": {"csrf": operator.headers["x-csrf"]}, "files": {"file": b"x"}}
    for method, its in (("GET", {}), ("POST", form), ("POST", form)):
        operator.request(method, "/console/payments/reports", headers=of_a_part, **its)
    assert _rows(doors) - before == 3 + 3 + 1 + 1 + 1 + 2

    presented, after = {"authorization": f"Bearer {doors.tokens['other source']}"}, ""  # a program polls
    for _ in range(3):
        page = doors.receiver.client.get(f"/api/changes{after}", headers=presented).json()
        after = f"?after={page['next']}"
    assert page["items"] == []
    assert _rows(doors) - before == 3 + 3 + 1 + 1 + 1 + 2 + 1


def _rows(doors: Doors) -> int:
    with installed(doors.folder, api_tokens=TOKEN):
        return len(all_of(select(AccessRow)))


@pytest.mark.parametrize("who", ["nobody", "wrong", "expired", "revoked"])
def test_nobody_enters_without_a_token_or_login_that_is_valid(doors: Doors, who: str) -> None:
    """A revoked token is out at once where it is revoked, and within 5 s in a receiver."""
    wait_until(lambda: _is_out(doors, who))
    routes = _acting()
    with ThreadPoolExecutor(20) as threads:  # requests with an unknown token wait for the same reading of the store
        answers = dict(zip([each.name for each in routes], threads.map(doors.ask, routes, repeat(who)), strict=True))

    of_api = {each.status_code for name, each in answers.items() if "/console" not in name}
    of_pages = {name: each for name, each in answers.items() if "/console" in name}
    assert of_api == {401}
    assert {each.status_code for each in of_pages.values()} == {303}
    assert {each.headers["location"].partition("?")[0] for each in of_pages.values()} == {"/console/login"}


@pytest.mark.parametrize("who", [Role.CLERK, "other source"])
def test_archive_of_another_branch_is_answered_as_one_that_is_not_there(doors: Doors, who: str) -> None:
    routes = [each for each in _acting() if "{reference" in each.name and each.is_for(Role.CLERK)]

    for route in routes:
        hidden, unknown = (doors.ask(route, who, reference) for reference in (ELSEWHERE, NOWHERE))
        assert (hidden.status_code, unknown.status_code) == (404, 404), route.name
        assert hidden.text.replace(ELSEWHERE, NOWHERE) == unknown.text, route.name
    here = Named("GET /api/archives/{reference:path}", Action.READ_ARCHIVE, "")
    assert doors.ask(here, who, HERE).status_code == (200 if who is Role.CLERK else 404)
    assert len(routes) > 8


def test_forged_host_stands_in_no_answer(doors: Doors) -> None:
    for route in _acting():
        if route.name.startswith("GET"):
            answer = doors.ask(route, "owner", HERE, host="forged.example")
            assert "forged.example" not in f"{answer.headers} {answer.text}", route.name


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_form_of_another_site_does_nothing(doors: Doors, site: str) -> None:
    pages = [each for each in _acting() if each.name.startswith("POST /console")]

    answers = {each.name: doors.ask(each, "owner", **{"sec-fetch-site": site}) for each in pages}

    assert {each.status_code for each in answers.values()} == {403}
    assert all("FORM_FROM_ELSEWHERE" in each.text for each in answers.values())


def test_form_without_the_token_of_its_browser_does_nothing(doors: Doors) -> None:
    owner, other = doors.browsers["owner"], doors.browsers[Role.OPERATOR]
    own = owner.headers["x-csrf"]
    owner.headers["x-csrf"] = other.headers["x-csrf"]
    try:
        pages = [each for each in _acting() if each.name.startswith("POST /console")]
        assert {doors.ask(each, "owner").status_code for each in pages} == {403}
    finally:
        owner.headers["x-csrf"] = own


def test_token_of_a_guesser_is_compared_no_more_until_it_was_right_once(doors: Doors) -> None:
    """Requests themselves: a right token that this receiver has never seen is not let in between guesses."""
    with installed(doors.folder, api_tokens=TOKEN):
        doors.tokens["new"] = tokens.add("new", Role.AUDITOR, None, None, "a test", NOW).token
    listing, guesser = Named("GET /api/archives", Action.LIST_ARCHIVES, ""), from_a_new_address()
    with ThreadPoolExecutor(20) as threads:
        guesses = threads.map(lambda _: doors.ask(listing, "wrong", **guesser).status_code, range(60))

    assert set(guesses) == {401, 429}
    assert doors.ask(listing, "new", **guesser).status_code == 429
    assert doors.ask(listing, "owner", **guesser).status_code == 200
    assert doors.ask(listing, "new").status_code == 200
    assert doors.ask(listing, "new", **guesser).status_code == 200


@pytest.mark.parametrize(("role", "path"), [(Role.CLERK, "archives"), (Role.ADMINISTRATOR, "people")])
def test_first_page_is_one_that_the_role_may_read(doors: Doors, role: Role, path: str) -> None:
    assert doors.browsers[role].get("/console/").headers["location"] == f"/console/{path}"
