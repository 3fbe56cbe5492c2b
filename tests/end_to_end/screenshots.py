"""Takes the README's screenshots of Prefect's UI and of the console, with real runs: `make screenshots`."""

import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from playwright.sync_api import Page

from tests.end_to_end.browser import enter_prefect, page
from tests.end_to_end.conftest import Running, cellar, new_installation, up_in


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        installation = new_installation(Path(data))
        with up_in(installation):
            cellar(installation, "simulate", "--count", "20", "--seed", "1")
            _take(installation, folder)
            with page() as browser:
                _take_console(installation, browser, folder)


def _take(installation: Running, folder: Path) -> None:
    artifacts = installation.prefect("/artifacts/filter", {"limit": 200})
    artifact = next(each for each in artifacts if "AMOUNT_MISMATCH" in str(each["data"]).replace("\\", ""))
    shots = {
        "runs": "/runs",
        "run": f"/runs/flow-run/{artifact['flow_run_id']}",
        "summary": f"/artifacts/artifact/{artifact['id']}",
    }
    with page() as browser:
        enter_prefect(browser, installation.prefect_url, installation.prefect_login)
        for name, path in shots.items():
            browser.goto(installation.prefect_url + path)
            browser.wait_for_timeout(5000)  # the page draws its charts some time after it has loaded
            browser.screenshot(path=folder / f"{name}.png")


def _take_console(installation: Running, browser: Page, folder: Path) -> None:
    """Take the page of an archive with a discrepancy and a signed document, in both languages."""
    browser.goto(f"{installation.url}/console/login")
    browser.locator("main summary").last.click()
    browser.fill("#token", installation.token)
    browser.click("main details button")
    browser.wait_for_url("**/console/**")
    reference = _with_a_discrepancy(installation)
    for language, name in (("en", "console"), ("he", "console-he")):
        choice: Any = {"name": "cellar_language", "value": language, "url": f"{installation.url}/console"}
        browser.context.add_cookies([choice])
        browser.goto(f"{installation.url}/console/archives/{quote(reference, safe='')}")
        browser.locator(".pdf-page[data-drawn]").first.wait_for()
        browser.screenshot(path=folder / f"{name}.png")


def _with_a_discrepancy(installation: Running) -> str:
    headers = {"authorization": f"Bearer {installation.token}"}
    url = f"{installation.url}/api/archives?discrepancy=AMOUNT_MISMATCH"
    found = httpx.get(url, headers=headers, timeout=60).raise_for_status().json()["items"]
    return str(found[0]["reference"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
