"""A receiver with archives, and a browser in which a person is signed in to its console. Both last for the folder.

A browser of Playwright holds this thread's event loop: tests of this folder call `asyncio.run` in no test that uses it.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Locator, Page, Request

from adapters.database.migration import migrate
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, Receiver, contract, earlier_contract, started
from tests.api.console.hostile import HOSTILE_REFERENCE, hostile_body
from tests.api.console.troubles import fill_with_troubles
from tests.conftest import LONGEST_S
from tests.end_to_end.browser import CHROMIUM, page
from tests.installations import archived, installed
from tests.pdfs import paged
from tests.samples import sample_body, sample_document
from tests.settlements import COLUMNS

PERSON = "CELLAR_API_TOKENS"
PLAIN, CONTRACT = "plain", "contract"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_AXE = (Path(__file__).parent / "vendored" / "axe.js").read_text()
_REPLACED = ("htmx:afterRequest", "htmx:sendAbort")
"""What htmx says of a search that the next one replaces, or the next page: a person types on."""
_OF_COLOURS = {"runOnly": ["color-contrast"]}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
_FAST: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
"""Without what passes, and without loading sounds and films, of which the console has none."""
_IN_THE_DARK = """() => {
    document.documentElement.dataset.bsTheme = "dark";
    for (const each of document.getAnimations()) each.finish(); // colours change little by little
}"""
_MISPLACED = r"""() => {
    const found = [], isWide = innerWidth > 1000, box = (each) => each.getBoundingClientRect();
    const all = (selector) => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility());
    const isWithin = (inner, outer) => box(inner).left > box(outer).left - 1 && box(inner).right < box(outer).right + 1;
    for (const each of all(isWide ? "main .table-responsive" : "main .table-responsive:has(> .rows)"))
        if (each.scrollWidth > each.clientWidth + 1) found.push(`cut: ${each.ariaLabel ?? each.className}`);
    for (const each of all(".rows :is(.title > div, .title > div > *, .state, time, .reference > bdi:last-child)"))
        for (let outer = each.parentElement; outer.tagName !== "TBODY"; outer = outer.parentElement)
            if (!isWithin(each, outer)) found.push(`beyond its ${outer.tagName}: ${each.textContent.trim()}`);
    for (const each of all(".rows .reference > bdi:last-child:not(:only-child)"))
        if (each.scrollWidth > each.clientWidth + 1 && isWide) found.push(`no amount: ${each.textContent}`);
    for (const each of all("main .halves > .card"))
        if (box(each).bottom - box(each.lastElementChild).bottom > 300) found.push(`white below ${each.id}`);
    if (!isWide) found.push(...all("kbd, .keys").map((each) => `a key: ${each.textContent}`));
    if (!isWide) found.push(...all(".console-side").map((each) => box(each).height).filter((each) => each > 60));
    return found.map((each) => `${String(each).slice(0, 90)} at ${innerWidth}`);
}"""
"""What is cut or hidden beside a desk's width or a telephone's: in lists, and at a desk in every table."""
_COME_LATER = {"#pdf": ".pdf-page[data-drawn]", "#parts": "#parts table"}
"""Cards whose content comes after the page."""


@dataclass(frozen=True, slots=True)
class Console:
    """A running receiver with its console, and the settings of its installation, to read its database."""

    receiver: Receiver
    folder: Path
    settings: dict[str, Any]

    @property
    def url(self) -> str:
        return self.receiver.url

    def visitor(self) -> httpx.Client:
        """Return a client of nobody, with cookies of its own."""
        return self.receiver.visitor()

    @contextmanager
    def person(self) -> Iterator[httpx.Client]:
        """A client in which a person is signed in."""
        with self.visitor() as client:
            signed_in = posted(client, "/console/login", {"token": TOKEN})
            assert signed_in.status_code == 303, signed_in.text
            yield client


def csrf_of(client: httpx.Client) -> str:
    found = _CSRF.search(client.get("/console/login").text)
    assert found
    return found[1]


def posted(client: httpx.Client, path: str, form: dict[str, Any], *files: bytes) -> httpx.Response:
    """Post a form, with files if there are any, as a page of the console does."""
    sent = [("file", (f'../{number}".csv', each)) for number, each in enumerate(files)]
    headers = {"sec-fetch-site": "same-origin"}
    return client.post(path, data={"csrf": csrf_of(client), **form}, files=sent or None, headers=headers)


@pytest.fixture(scope="package")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console with a plain archive, `contract` with three pages, in two versions with a discrepancy, and a hostile
    archive.
    """
    folder = tmp_path_factory.mktemp("console")
    values: dict[str, Any] = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    values |= {"timezone": "Asia/Jerusalem", "notify_allow_private": "true"}
    values["settlement_columns"] = folder / "columns.toml"
    values["settlement_columns"].write_text(COLUMNS)
    with installed(folder, **values):
        migrate()
        archived(PLAIN, sample_body(PLAIN))
        archived(CONTRACT, earlier_contract())
        signed = sample_document()["signed_document"] | {"content": b64encode(paged()).decode()}
        event = {"type": "WHP_ARCHIVE", "timestamp": "2024-01-01T00:00:00"}
        archived(CONTRACT, contract(event=event, signed_document=signed))
        archived(HOSTILE_REFERENCE, hostile_body())
        with started() as receiver:
            yield Console(receiver, folder, values)


@pytest.fixture(scope="package")
def troubled(console: Console) -> Iterator[Console]:
    """The console, with what needs a person. Its tests change it.

    Its receiver starts anew, since it keeps what it has counted of hours that have ended.
    """
    console.receiver.process.terminate()
    console.receiver.process.wait(LONGEST_S)
    with installed(console.folder, **console.settings, port=console.receiver.port):
        fill_with_troubles()
        with started() as receiver:
            yield Console(receiver, console.folder, console.settings)


@pytest.fixture
def visitor(console: Console) -> Iterator[httpx.Client]:
    with console.visitor() as client:
        yield client


@pytest.fixture
def person(console: Console) -> Iterator[httpx.Client]:
    with console.person() as client:
        yield client


def references(page: Page) -> list[str]:
    """Return the references of the archives that a list shows."""
    found: list[str] = page.locator("tr[data-reference]").evaluate_all("rows => rows.map(row => row.dataset.reference)")
    return found


@dataclass
class Browser:
    """A browser in which a person is signed in. It notes what pages complain of, and which other hosts they ask.

    `complaints`: messages of the console and errors, with breaches of the policy. `elsewhere`: requests to other hosts.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def watch(self) -> None:
        self.context.on("request", self._note_host)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if not message.text.startswith(_REPLACED):
            self.complaints.append(f"{message.type}: {message.text}")

    def open(self, path: str, language: str = "en", theme: str = "light") -> Page:
        host = str(urlsplit(self.url).hostname)
        self.context.add_cookies(
            [
                {"name": f"cellar_{name}", "value": value, "domain": host, "path": "/console"}
                for name, value in (("language", language), ("theme", theme))
            ]
        )
        self.page.goto(self.url + path)
        return self.page

    def leave(self) -> None:
        """Let the open page ask for nothing any more: its receiver may start anew, and keeps a record of who asks.

        `about:blank` would take a new process of the browser, and the next page another: half the time of a page.
        """
        if not self.page.url.startswith(self.url):
            self.page.goto("about:blank")
            return
        with suppress(Error):  # the page is just leading to another
            self.page.evaluate(
                """() => {
                    history.replaceState(null, "", "/"); // else the next page may be a mere place on this one
                    for (const each of document.querySelectorAll("[hx-trigger*=every]")) each.remove();
                }"""
            )

    def follow(self, leading: Locator) -> None:
        """Click what leads to another page, and wait for that page. A search that htmx ends meanwhile is none."""
        with self.page.expect_event("load"):
            leading.click()

    def violations(self, rules: Mapping[str, list[str]] = RULES) -> list[str]:
        """Return what axe-core finds on the open page: the rule, and the elements that break it."""
        self.page.locator("main").first.wait_for(state="attached")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE)
        found = self.page.evaluate("options => axe.run(document, options)", {**rules, **_FAST})
        return [
            f"{each['id']}: {'; '.join(node['html'][:200] for node in each['nodes'][:5])}"
            for each in found["violations"]
        ]

    def overflow_px(self) -> int:
        """Return by how much the page is wider than the window."""
        px: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return px

    def excess(self) -> list[str]:
        """Return of which windows, desks' and a telephone's, the page is wider, and what is cut there, all its details
        open.
        """
        wide = self.page.viewport_size
        assert wide
        self.page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
        found = list[str]()
        for width, height in ((360, 740), (1280, 800), (wide["width"], wide["height"])):
            self.page.set_viewport_size({"width": width, "height": height})
            found += [f"{px} px wider than {width}" for px in [self.overflow_px()] if px]
            found += self.page.evaluate(_MISPLACED)
        return found

    def faults(self, path: str) -> list[str]:
        """Return what is wrong with a page in English, in Hebrew and in the dark. It stays open in Hebrew."""
        found = list[str]()
        for language in ("en", "he"):
            self.open(path, language)
            for card, its in _COME_LATER.items():
                if self.page.locator(card).count():
                    self.page.wait_for_selector(its, state="attached")
            found += self.excess()
        found += self.violations()
        self.page.evaluate(_IN_THE_DARK)
        return [*found, *self.violations(_OF_COLOURS)]

    def sign_in(self, token: str = TOKEN) -> None:
        self.open("/console/login")
        self.page.locator("summary").last.click()
        self.page.fill("#token", token)
        self.follow(self.page.locator("main details button"))

    def _note_host(self, request: Request) -> None:
        if urlsplit(request.url).netloc not in ("", urlsplit(self.url).netloc):
            self.elsewhere.append(request.url)


@pytest.fixture(scope="package")
def _browser(console: Console) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("CHROMIUM IS NOT INSTALLED, PAGES ARE NOT TESTED: apt-get install chromium-headless-shell")
    with page() as opened:
        opened.set_default_timeout(120_000)
        made = Browser(opened, console.url)
        made.watch()
        made.sign_in()
        made.leave()
        yield made


@pytest.fixture
def browser(_browser: Browser) -> Iterator[Browser]:
    """The browser. A test fails if a page complained, or asked another host."""
    _browser.complaints.clear()
    _browser.elsewhere.clear()
    yield _browser
    _browser.leave()
    assert _browser.complaints == []
    assert _browser.elsewhere == []
