"""Measures a dossier beside its document, in Chromium: `python -m benchmarks.dossier`.

Each round opens the shortest page of the console, the dossier of a signed PDF of 40 pages with 300 fields, and that of
the same PDF with 20 MB, in turn. *Answered* is the page over HTTP, *facts* its first contentful paint, *page* the first
page of the document drawn. The browser keeps scripts and styles, as it does for whoever opens a second one.
"""

import sys
from base64 import b64encode
from statistics import median, quantiles
from time import perf_counter

import httpx
from playwright.sync_api import Page

from adapters.database.migration import migrate
from benchmarks.machine import work_folder
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, started
from tests.api.console.conftest import Browser, posted
from tests.end_to_end.browser import page
from tests.installations import archived, installed
from tests.pdfs import paged
from tests.samples import sample_body, sample_document

_PATHS = {"shortest page": "me", "40 pages, 300 fields": "archives/short", "the same, 20 MB": "archives/long"}
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_DRAWN = "() => document.querySelector('.pdf-page canvas') && performance.now()"


def body(reference: str, filler_bytes: int) -> bytes:
    """Return an archive with 300 fields on the 40 pages of its document."""
    signed = sample_document()["signed_document"]
    signed["content"] = b64encode(paged(40, filler_bytes=filler_bytes)).decode()
    place = {"left": 10.0, "width": 30.0, "height": 2.0, "type": "text", "visible": True}
    fields = [
        {"id": f"FIELD{each}", "value": f"value {each}", "page": each // 8, "top": 10.0 * (each % 8)} | place
        for each in range(300)
    ]
    return sample_body(reference, data=fields, signed_document=signed)


def measured(client: httpx.Client, opened: Page, url: str, path: str) -> list[float]:
    """Return after how many milliseconds a page is answered, painted, and its document drawn if it has one."""
    began_s = perf_counter()
    client.get(f"/console/{path}").raise_for_status()
    times = [(perf_counter() - began_s) * 1000]
    opened.goto("about:blank")
    opened.goto(f"{url}/console/{path}")
    times.append(opened.wait_for_function(_PAINTED).json_value())
    if "archives" in path:
        times.append(opened.wait_for_function(_DRAWN).json_value())
    return times


def main(rounds: int) -> None:
    values = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    with work_folder() as folder, installed(folder, **values):
        migrate()
        for reference, filler_bytes in (("short", 0), ("long", 20 << 20)):
            archived(reference, body(reference, filler_bytes))
        with started() as receiver, receiver.visitor() as client, page() as opened:
            posted(client, "/console/login", {"token": TOKEN})
            Browser(opened, receiver.url).sign_in()
            found = [[measured(client, opened, receiver.url, path) for path in _PATHS.values()] for _ in range(rounds)]
    for name, turns in zip(_PATHS, zip(*found[1:], strict=True), strict=True):
        for what, each in zip(("answered", "facts", "page"), zip(*turns, strict=True), strict=False):
            print(f"{name}, {what}: median {median(each):.0f} ms, p95 {quantiles(each, n=20)[-1]:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
