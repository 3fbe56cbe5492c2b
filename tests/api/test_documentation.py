"""`/docs` in a real browser, which reaches nothing but the receiver."""

import asyncio
import re
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import expect

from api.app import app
from tests.api.conftest import Receiver
from tests.end_to_end.browser import needs_chromium, page


@needs_chromium
def test_documentation_shows_every_route_without_the_internet(receiver: Receiver) -> None:
    schema = receiver.client.get("/openapi.json").json()
    routes = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}
    asked: set[str] = set()
    complaints: list[str] = []

    with page() as browser:
        browser.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        browser.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        browser.on("pageerror", lambda error: complaints.append(str(error)))

        browser.goto(f"{receiver.url}/docs")
        summaries = browser.locator(".opblock-summary")
        expect(summaries).to_have_count(len(routes))
        shown = {
            f"{each.locator('.opblock-summary-method').inner_text()} "
            # a browser may break a path where Swagger UI allows it, with an invisible character
            + re.sub(r"[\u200b\s]", "", each.locator(".opblock-summary-path").inner_text())
            for each in summaries.all()
        }
        for path, code in (("/webhooks/cellosign", "FORM_FIELD_CHANGED"), ("/{batch_id}/{action}", "WRONG_STATE")):
            # Swagger UI puts invisible characters where a path may break
            parts = re.compile("\u200b?".join(map(re.escape, re.split("(?<=/)|(?=/)", path))))
            summaries.filter(has_text=parts).locator("button").first.click()
            expect(browser.get_by_text(code)).to_be_visible()

    assert shown == routes
    assert asked - {""} == {urlsplit(receiver.url).netloc}
    assert complaints == []


def test_pages_of_other_documentation_are_off(receiver: Receiver) -> None:
    """The page of ReDoc loads its fonts from the internet."""
    assert receiver.client.get("/redoc").status_code == 404


def test_clients_have_a_plain_name_for_each_operation_and_schema() -> None:
    described = app.openapi()
    names = [each["operationId"] for path in described["paths"].values() for each in path.values()]
    assert len({*names}) == len(names)
    assert [each for each in names if not re.fullmatch("[a-z_]{5,27}", each)] == []
    assert [each for each in described["components"]["schemas"] if not re.fullmatch("[A-Za-z]+", each)] == []


def test_description_is_built_beside_other_requests() -> None:
    """It takes a fifth of a second, and anybody may ask for it."""
    app.openapi_schema = None

    assert asyncio.run(_turns_of_others()) > 10


async def _turns_of_others() -> int:
    """Return how often other tasks have their turn while the description is built."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver") as client:
        asked = asyncio.create_task(client.get("/openapi.json"))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0)
            turns += 1

    assert asked.result().json()["info"]["title"] == "cellar"
    return turns
