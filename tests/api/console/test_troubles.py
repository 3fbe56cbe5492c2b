"""Pages of troubles, and what people do there: each action is recorded with the person who did it."""

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import expect
from pytest_httpserver import HTTPServer
from sqlmodel import col, delete

from adapters.inbox import inbox, quarantine
from adapters.inbox.quarantine import body_name
from adapters.store import tombstones
from adapters.tables.runs import receipts, refused
from api.console.words.telling import isolated
from models.access import CELLAR, Role
from models.archive.archive import State
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.messages.notification import EventRow
from models.runs.receipt import RefusedDelivery, RefusedRow
from models.views.messages import NewEndpoint
from services.access import users
from services.messages import endpoints
from services.payments.discrepancies import reconcile_many
from services.views import archive_view
from tests.api.conftest import TOKEN
from tests.api.console.conftest import PERSON, Browser, Console, posted
from tests.api.console.hostile import SCRIPT
from tests.api.console.test_login import PASSWORD
from tests.api.console.test_login import signed_in as logged_in
from tests.api.console.troubles import DAMAGED, ENDPOINT, HOSTILE, NOW, WRONG, message, missing, put
from tests.batches import fill, filled
from tests.conftest import wait_until
from tests.installations import archived, installed
from tests.records import change, digest
from tests.samples import sample_body, sample_document

PAYMENTS = "/console/payments?paid_from=2022-12-15&paid_to=2022-12-25"
PATHS = ["/console/discrepancies", "/console/failed", "/console/refused", "/console/missing", "/console/bulk"]
PATHS += [
    "/console/payments/reports",
    "/console/missing/list",
    f"/console/archives/{WRONG}",
    PAYMENTS,
    "/console/templates",
    "/console/templates/9fa70d4ccea84262b1ed2308a07a3fb4",
    "/console/tables",
    "/console/tables/payments",
    "/console/tables/form?template=9fa70d4ccea84262b1ed2308a07a3fb4",
    "/console/sources",
    "/console/sources/default",
    "/console/endpoints",
    "/console/endpoints/new",
    f"/console/endpoints/{ENDPOINT}",
    "/console/messages/msg_dead",
    "/console/activity",
    "/console/activity?kind=acted",
    "/console/links",
    "/console/access",
    "/console/person",
    "/console/people",
    "/console/me",
]


def act(console: Console, path: str, **form: Any) -> httpx.Response:
    """Post a form as a person who is signed in, and return the page that the answer leads to."""
    with console.person() as person:
        answer = posted(person, path, form)
        return person.get(answer.headers["location"]) if answer.status_code == 303 else answer


def test_link_is_revoked_on_its_page_for_a_reason(troubled: Console, browser: Browser) -> None:
    """In both languages, and without a script."""
    with troubled.person() as person:
        receipt_id = re.findall(r'name="receipt_id" value="(\w+)"', person.get("/console/links").text)[-1]
    assert act(troubled, "/console/links/revoke", receipt_id=receipt_id, why=" ").status_code == 422

    page = act(troubled, "/console/links/revoke", receipt_id=receipt_id, why="posted")

    assert "posted" in page.text
    assert f'value="{receipt_id}"' not in page.text
    browser.open("/console/links", "he")
    assert "posted" in browser.page.locator("main").inner_text()


OF_PAGE = {"until": NOW.isoformat(), "then": "/console/refused"}


def decided(console: Console, trouble: str, **form: Any) -> httpx.Response:
    """Decide as a person does whose page was made now."""
    page = {"until": datetime.now(UTC).isoformat(), "then": f"/console/{trouble}", "why": "a test"}
    return act(console, f"/console/{trouble}/decide", **page | form)


def test_payments_are_exported_where_the_page_is_and_cards_that_were_only_verified_are_not_drawn_beside_money(
    troubled: Console,
) -> None:
    with troubled.person() as person:
        for filters, status in (("undated=true&paid_from=2001-01-01", 200), ("cursor=x", 422), ("paid_from=2001", 422)):
            answer = person.get(f"/console/payments.csv?{filters}")
            assert (answer.status_code, answer.text.startswith("\ufeffreference,")) == (status, status == 200), filters
        page = person.get(f"{PAYMENTS}&standing=verified").text

    assert "standing=verified&amp;currency=ILS" in page
    assert "amounts-ILS" not in page
    assert page.count("<dt>Revenue</dt>") <= 1


def test_charged_payments_are_listed_by_a_link_of_the_overview_and_a_point_of_their_chart_leads_to_its_day(
    troubled: Console, browser: Browser
) -> None:
    day = (NOW.astimezone(ZoneInfo("Asia/Jerusalem")) - timedelta(days=1)).date()
    with installed(troubled.folder, **troubled.settings):
        for name, status in (("charged", "success"), ("uncharged", "failure")):
            sent = sample_document()
            sent["sessions"][0]["submitted_at"] = f"{day}T12:00:00"
            sent["payments"][0] |= {"type": "charge", "status": status}
            archived(name, sample_body(name, sessions=sent["sessions"], payments=sent["payments"]))
    page = browser.open("/console/")
    browser.follow(page.locator(".console-actions a[href*='standing=charged']").first)
    assert [page.locator(f"main a[href$='/{each}']").count() > 0 for each in ("charged", "uncharged")] == [True, False]

    page.locator(".triage-filters summary").click()
    page.fill("[name=currency]", "ILS")
    page.press("[name=currency]", "Enter")
    page.locator("#results a[href*='.csv'][href*='currency=ILS']").wait_for()
    chart = page.locator("section[aria-labelledby=amounts-ILS-title] .chart-canvas:has(canvas)")
    chart.press("ArrowLeft")
    with page.expect_navigation():
        chart.press("Enter")  # as a click on its point does
    assert f"paid_from={day}&paid_to={day}" in page.url


def of_api(console: Console, path: str) -> Any:
    return httpx.get(f"{console.url}{path}", headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False).json()


EMPTY = [f"/console/{each}?source=default&reference=nobody" for each in ("discrepancies", "refused", "missing")]
WRONG_FILTERS = [
    "/console/refused?process_number=x",
    "/console/access?since=x",
    "/console/payments?paid_from=2001-01-01",
    "/console/discrepancies?source=nobody",
]
DEAD = f"/console/endpoints/{ENDPOINT}?state=dead"
CLOSED = ["/console/refused?state=closed", "/console/missing?state=closed", "/console/discrepancies?state=explained"]
ARCHIVES = ["/console/archives", "/console/archives?column=cause", "/console/archives?state=wrong"]
SHOWN = ["/console/", *PATHS, *EMPTY, *WRONG_FILTERS, DEAD, *CLOSED, *ARCHIVES]
_ENGLISH_SENTENCES = """() => {
  const found = [], texts = document.createTreeWalker(document.querySelector("#main"), NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const text = texts.currentNode
    if (!text.parentElement.closest("code, pre, script, [lang=en]") && /[a-z]+ [a-z]+ [a-z]+/.test(text.data))
      found.push(text.data.trim())
  }
  return found
}"""


@pytest.mark.parametrize("path", [*SHOWN, "/console/login", "/console/archives/process-a", "/console/nowhere"])
def test_page_is_accessible_fits_a_telephone_and_a_desk_and_its_hebrew_has_no_english_sentence_but_details(
    troubled: Console, browser: Browser, path: str
) -> None:
    assert troubled
    assert browser.faults(path) == []
    browser.complaints[:] = [each for each in browser.complaints if "404" not in each]  # the missing page itself
    assert browser.page.locator("html").get_attribute("lang") == "he"
    in_other_words = (*WRONG_FILTERS, CLOSED[-1])  # the services' own, and what people said of a discrepancy
    assert path in in_other_words or browser.page.evaluate(_ENGLISH_SENTENCES) == []


def test_page_of_a_thousand_shows_the_newest_and_decides_about_five_hundred_at_once(
    troubled: Console, browser: Browser
) -> None:
    with installed(troubled.folder, **troubled.settings):
        refused.record([_refused(number) for number in range(1_000)])
    page = browser.open("/console/refused?code=TOO_DEEP", "he", "dark")
    assert page.locator("[name=item]").count() == 50
    assert "1,000" in page.locator(".triage-group").inner_text()
    assert browser.violations() == []

    page.locator("[name=group]").check()
    browser.follow(page.locator("[name=quick]").first)

    assert counted(troubled, "TOO_DEEP") == 500
    assert "יש עוד מסוג זה." in page.locator(".alert-success").inner_text()
    browser.follow(page.locator("[data-press=KeyU]"))
    assert counted(troubled, "TOO_DEEP") == 1_000
    with installed(troubled.folder, **troubled.settings):
        change(delete(RefusedRow).where(col(RefusedRow.code) == "TOO_DEEP"))


def _refused(number: int) -> RefusedDelivery:
    receipt_id, at = digest(f"many {number}"), NOW - timedelta(days=3, seconds=number)
    return RefusedDelivery(f"{at:%Y%m%dT%H%M%S}-{number}", receipt_id, at, 9, "TOO_DEEP", "", "at byte 7: deep")


STORE = "יש לבדוק שהדיסק או ה-bucket של CELLAR_STORE_URL זמין"
IN_HEBREW = [
    ("failed", "tr", "STORE_AWAY", "המאגר אינו עונה, או שאי אפשר לכתוב אליו."),
    ("failed", "tr", "STORE_AWAY", STORE),
    ("failed", "#waits tr", "המאגר", STORE),
    ("refused", ".triage-group", "NOT_BASE64", "תוכן של קובץ פגום: הוא אינו base64."),
    ("discrepancies", ".triage-group", "PAYMENT_WITHOUT_FIELD", "בתיק יש תשלום שאף שדה בטופס אינו מפנה אליו."),
]


def test_what_is_alike_says_once_in_hebrew_what_is_wrong_and_what_to_do(troubled: Console, browser: Browser) -> None:
    assert troubled
    for path, selector, of, said in IN_HEBREW:
        rows = browser.open(f"/console/{path}", "he").locator(selector, has_text=of)
        assert (of, rows.count()) == (of, 1)
        assert said in rows.inner_text()
    row = browser.open("/console/failed", "he").locator("tr", has_text="STORE_AWAY")
    assert row.locator("bdi[lang=en][dir=ltr]").all_inner_texts() == ["The store does not answer."]


def test_hostile_texts_are_shown_as_text(troubled: Console) -> None:
    with troubled.person() as person:
        hostile = ("/console/refused", "/console/missing?state=closed", "/console/messages/msg_dead")
        pages = [person.get(each).text for each in hostile]

    for page in pages:
        assert "<script>alert(1)" not in page
        assert HOSTILE[-5] not in page
        assert "⟨U+202E⟩" in page


def test_discrepancy_is_explained_for_the_values_that_were_read(troubled: Console, browser: Browser) -> None:
    fill([filled(1, State.COMPLETED, reference="unit")])
    wrong = Discrepancy(DiscrepancyCode.UNIT_MISMATCH, "t", "21.00 ILS", "2100.00 ILS")
    reconcile_many({"unit": [wrong]}, frozenset({DiscrepancyCode.UNIT_MISMATCH}), datetime.now(UTC))
    page = browser.open("/console/discrepancies?code=UNIT_MISMATCH")
    page.locator("[name=item]").first.check()
    page.locator("#why").fill("הלקוח שילם בשתי פעימות")
    browser.follow(page.get_by_role("button", name="Explain", exact=True))

    found = of_api(troubled, "/api/discrepancies?code=UNIT_MISMATCH&state=explained")["items"][0]
    assert (found["explanation"]["by"], found["explanation"]["why"]) == (PERSON, "הלקוח שילם בשתי פעימות")
    assert "Explained: 1." in page.locator("main").inner_text()
    assert browser.violations() == []

    browser.follow(page.get_by_role("button", name="Undo"))

    again = of_api(troubled, "/api/discrepancies?code=UNIT_MISMATCH")["items"][0]
    assert (again["state"], again["explanation"]) == ("open", None)
    assert "Taken back: 1." in page.locator("main").inner_text()


def test_explanation_of_other_values_is_refused(troubled: Console) -> None:
    found = of_api(troubled, "/api/discrepancies?code=PAYMENT_WITHOUT_FIELD")["items"][0]
    mark = json.dumps([found["discrepancy_id"], found["expected"], "another value"])

    answer = decided(troubled, "discrepancies", item=mark)

    assert "Explained: 0. Left out, since changed or decided meanwhile: 1." in answer.text
    forged = ["no mark", "7", "[]", '[["x"], 1, null]', "[" * 20_000]
    assert (
        "Explained: 0. Left out, since changed or decided meanwhile: 5."
        in decided(troubled, "discrepancies", item=forged).text
    )
    assert decided(troubled, "discrepancies", item=mark, why=" ").status_code == 422
    assert decided(troubled, "discrepancies").status_code == 422
    assert decided(troubled, "discrepancies", item=mark, until="now").status_code == 422


def test_failures_of_a_cause_are_planned_confirmed_paused_resumed_and_aborted(
    troubled: Console, browser: Browser
) -> None:
    """A page that is open meanwhile shows it by itself."""
    planned = act(troubled, "/console/failed/plan", cause="STORE_AWAY")
    path = planned.url.path

    assert f"data, payments and notifications: {isolated('2')}." in planned.text
    assert "Pause" in act(troubled, f"{path}/confirm").text
    page = browser.open(path)
    assert page.locator("progress").count() == 1
    assert "Resume" in act(troubled, f"{path}/pause").text
    assert "Pause" in act(troubled, f"{path}/resume").text
    assert "Aborted" in act(troubled, f"{path}/abort").text
    page.wait_for_selector("text=Aborted")
    assert browser.violations() == []
    assert act(troubled, f"{path}/pause").status_code == 409
    found = of_api(troubled, path.replace("/console/bulk/", "/api/bulk-reruns/"))
    assert [each["what"] for each in found["actions"]] == ["planned", "confirmed", "paused", "resumed", "aborted"]
    assert {each["by"] for each in found["actions"]} == {PERSON}
    assert "Last run failed" in act(troubled, "/console/failed/plan", condition="RUN_FAILED").text


def test_page_of_what_happens_now_shows_what_comes_while_it_is_open(troubled: Console, browser: Browser) -> None:
    refused, reference = "NOT_UTF8", "now"
    page = browser.open("/console/activity?kind=arrived", "he")
    page.evaluate("window.stayed = true")
    with installed(troubled.folder, **troubled.settings):
        archived(reference, sample_body(reference))

    page.wait_for_selector("#news[role=status]:has-text('רשומה חדשה אחת')", state="attached")
    assert page.locator(f"#newest a[href$='/archives/{reference}']").count() == 1
    assert page.evaluate("window.stayed")

    browser.follow(page.locator("#activity nav a").first)
    assert troubled.receiver.post(b'{"a": "\xff"}').json()["status"] == "-1"
    page.wait_for_selector(f"#failed li:has-text('{refused}')")
    asks = "activity.dispatchEvent(new Event('htmx:beforeRequest', {cancelable: true, bubbles: true}))"
    assert page.evaluate(asks)
    page.locator(f"#newest a[href$='/archives/{reference}']").nth(1).hover()
    assert not page.evaluate(asks)
    browser.follow(page.locator("#activity nav a[href$=failed]"))
    assert refused in page.locator("#newest").inner_text()
    assert page.locator(f"#newest a[href$='/archives/{reference}']").count() == 0
    assert browser.violations() == []


def test_page_of_what_happens_now_is_empty_once_its_person_is_signed_out(troubled: Console, browser: Browser) -> None:
    page = browser.open("/console/activity?kind=failed")
    signed_in: Any = browser.context.cookies()
    browser.context.clear_cookies()
    page.wait_for_selector("#activity", state="detached")
    browser.context.add_cookies(signed_in)

    browser.open("/console/activity")
    with installed(troubled.folder, **troubled.settings):
        link = users.add("successor", Role.ADMINISTRATOR, "owner", datetime.now(UTC)).link
        assert link
        users.set_password_by(link.rpartition("/")[2], PASSWORD, datetime.now(UTC))
    with logged_in(troubled, "successor") as successor:  # at the same computer
        its: Any = [{**each, "value": successor.cookies.get(each["name"], each["value"])} for each in signed_in]
    browser.context.add_cookies(its)
    page.wait_for_selector("#activity", state="detached", timeout=20_000)
    expect(page.locator("main code")).to_have_text("FORBIDDEN")
    browser.context.add_cookies(signed_in)
    browser.complaints[:] = [each for each in browser.complaints if "403" not in each]


def test_body_that_is_accepted_now_is_released_and_its_timeline_says_by_whom(troubled: Console) -> None:
    """As after a fix of cellar: the refused bytes in quarantine are replaced by those of a sound body."""
    body, now = sample_body("released"), datetime.now(UTC)
    receipt_id = hashlib.sha256(body).hexdigest()
    with installed(troubled.folder, **troubled.settings):
        quarantine.place().write(body, body_name(receipt_id))
        its = (
            f"{now:%Y%m%dT%H%M%S.%fZ}-{receipt_id[:8]}",
            receipt_id,
            now,
            len(body),
            "NOT_BASE64",
            "",
            "an old fault",
        )
        refused.record([RefusedDelivery(*its, "released")])

    released = act(troubled, "/console/refused/release", item=receipt_id, **OF_PAGE)

    assert "Accepted now: 1." in released.text
    with installed(troubled.folder, **troubled.settings):
        [waiting] = [each for each in inbox.deliveries() if each.receipt_id == receipt_id]
        # As a sweep does; without Prefect it gets no further than the first that waits.
        receipts.register_all([waiting], tombstones.known_digest(waiting.reference))
        archive = archive_view.archive("released", CELLAR)
    assert archive
    assert [each.by for each in archive.timeline if each.what == "released a refused body"] == [PERSON]


def test_body_that_is_still_refused_says_why_can_be_taken_and_is_dismissed_with_a_reason(
    troubled: Console, browser: Browser
) -> None:
    body = b"{ no archive of anybody"
    receipt_id = hashlib.sha256(body).hexdigest()
    assert troubled.receiver.post(body).json()["status"] == "-1"
    wait_until(lambda: receipt_id in str(of_api(troubled, "/api/refused")), timeout_s=60)
    still = act(troubled, "/console/refused/release", item=receipt_id, **OF_PAGE)
    assert "still refused: NOT_JSON" in still.text
    with troubled.person() as person:
        assert f'href="/console/refused/{receipt_id}"' in person.get("/console/refused?code=NOT_JSON").text
        taken = person.get(f"/console/refused/{receipt_id}")
        assert (taken.content, taken.headers["content-disposition"][:10]) == (body, "attachment")
        assert person.get(f"/console/refused/{'0' * 64}").status_code == 404
    before = counted(troubled, "NOT_JSON")
    page = browser.open("/console/refused")
    page.locator(f"[name=item][value='{receipt_id}']").check()
    page.locator("#why").fill("סורק רשת, לא ארכיון")

    page.keyboard.press("Enter")

    page.wait_for_selector("text=Dismissed: 1.")
    assert counted(troubled, "NOT_JSON") == before - 1
    page = browser.open("/console/refused?state=closed")
    assert f"{PERSON}: סורק רשת, לא ארכיון" in page.locator("main").inner_text()
    assert set(page.locator(".triage-group .count").all_inner_texts()) == {"all that match"}
    assert browser.violations() == []
    assert decided(troubled, "refused", item=receipt_id, why=" ").status_code == 422
    assert "Dismissed: 0." in decided(troubled, "refused", item="0" * 64).text


def counted(console: Console, key: str) -> int:
    """Return of how many subjects the overview counts a condition."""
    conditions = of_api(console, "/api/overview")["attention"]["conditions"]
    return sum(each["subjects"] for each in conditions if each["key"] == key)


def test_missing_process_is_dismissed_with_a_reason(troubled: Console) -> None:
    assert decided(troubled, "missing", item="m", why="").status_code == 422

    answer = decided(troubled, "missing", item="m", why="a test of the bank")

    assert "Closed: 1." in answer.text
    closed = {each["missing_id"]: each for each in of_api(troubled, "/api/missing?state=closed")["items"]}
    assert (closed["m"]["closed_by"], closed["m"]["closed_reason"]) == (PERSON, "a test of the bank")


def test_source_is_added_rotated_disabled_and_enabled_and_its_page_says_what_it_delivers(troubled: Console) -> None:
    """Each secret is shown once, opens the source at once, and stands in no other page, no address and no log."""
    path, of_secret = "/console/sources/north", re.compile(r'data-copy="([\w-]{43})"')
    webhook = f"{troubled.url}/webhooks/cellosign/north"

    def status(secret: str, body: bytes) -> int:
        presented = {"authorization": f"Bearer {secret}"}
        return httpx.post(webhook, content=body, headers=presented, trust_env=False).status_code

    added = act(troubled, "/console/sources", name="north")
    [first] = of_secret.findall(added.text)
    assert (added.headers["cache-control"], status(first, sample_body("of-north"))) == ("no-store", 200)
    with installed(troubled.folder, **troubled.settings):  # the receiver's own sweep ends where Prefect is away
        for each in inbox.deliveries():
            if each.source == "north":
                receipts.register_all([each], tombstones.known_digest(each.reference))
    [second] = of_secret.findall(act(troubled, f"{path}/rotate", overlap_h="0").text)
    wait_until(lambda: status(first, b"x") == 401)
    assert status(second, b"x") == 400
    act(troubled, f"{path}/disable")
    wait_until(lambda: status(second, b"x") == 401)

    act(troubled, f"{path}/enable")
    with troubled.person() as person:
        wait_until(lambda: "/console/refused?source=north&amp;code=NOT_JSON" in person.get(path).text)
        wait_until(lambda: "1 in 24 hours, 1 in 7 days" in person.get(path).text)
        page = person.get(path).text
        terms = re.findall(r"<bdi>(.*)</bdi>", person.get(path, headers={"accept-language": "he"}).text)
        assert "יחידות קטנות, כמו אגורות" in terms
        assert {"minor", "keep", "refuse"}.isdisjoint(terms)
        assert person.get("/console/sources/nobody").status_code == 404

    assert f'data-copy="{webhook}"' in page
    assert [first in each or second in each for each in (page, troubled.receiver.log.read_text())] == [False, False]
    wrong = [act(troubled, *each).status_code for each in (("/console/sources",), (f"{path}/rotate",))]
    assert wrong == [422, 422]
    assert act(troubled, "/console/sources/default/rotate", overlap_h="1").status_code == 422


def test_endpoint_is_added_rotated_disabled_enabled_and_removed_and_a_wrong_field_is_marked(troubled: Console) -> None:
    path, new, url = "/console/endpoints/erp", "/console/endpoints/new", "http://127.0.0.1:9/"
    for name, its_url, marked in (("A B", url, "name"), (ENDPOINT, url, "name"), ("billing", "no address", "url")):
        answer = act(troubled, new, name=name, url=its_url)
        assert (answer.status_code, re.findall(r'is-invalid" id="(\w+)"', answer.text)) == (422, [marked])
    assert re.search(r"whsec_\S+", act(troubled, new, name="erp", url=f"{url}erp", events="archive.failed").text)
    assert "whsec_" not in act(troubled, f"{path}/disable", why="maintenance").text
    assert "Failing" not in act(troubled, f"{path}/enable").text
    assert re.search(r"whsec_\S+", act(troubled, f"{path}/rotate", overlap_h="2").text)
    assert act(troubled, f"{path}/rotate", overlap_h="x").status_code == 422
    assert "The endpoint has not confirmed the test message" in act(troubled, f"{path}/test").text
    act(troubled, f"{path}/remove")

    found = of_api(troubled, "/api/endpoints/erp")
    assert (found["state"], found["events"]) == ("removed", ["archive.failed"])
    assert [each["what"] for each in found["actions"]] == ["added", "disabled", "enabled", "rotated", "removed"]
    assert {each["by"] for each in found["actions"]} == {PERSON}


def test_messages_given_up_are_sent_again(troubled: Console) -> None:
    late = {"group": ENDPOINT, "until": "2020-01-01T00:00Z", "then": f"/console/endpoints/{ENDPOINT}"}
    assert act(troubled, "/console/messages/redeliver", **late).url.path == late["then"]
    planned = act(troubled, "/console/redeliveries", endpoint=ENDPOINT, state="dead")
    assert "Send one message again" in planned.text

    act(troubled, f"{planned.url.path}/confirm")

    redelivery = of_api(troubled, planned.url.path.replace("/console/bulk", "/api/redeliveries"))
    assert [(each["what"], each["by"]) for each in redelivery["actions"]] == [
        ("planned", PERSON),
        ("confirmed", PERSON),
    ]
    assert (redelivery["state"], [each["subject"] for each in redelivery["items"]]) == ("running", ["msg_dead"])


def test_message_is_sent_by_a_click_and_the_answer_of_its_endpoint_is_shown_as_text(
    troubled: Console, browser: Browser, httpserver: HTTPServer
) -> None:
    """A message that is confirmed is not sent again by a page that was made before."""
    httpserver.expect_ordered_request("/erp").respond_with_data(SCRIPT, 500, content_type="text/html")
    httpserver.expect_ordered_request("/erp").respond_with_data("taken by erp-17")
    with installed(troubled.folder, **troubled.settings):
        endpoints.add(NewEndpoint(url=httpserver.url_for("/erp"), name="walked"), PERSON, NOW)
        about = {"event_id": "walked", "reference": WRONG}
        put([EventRow(**about, type="archive.completed", receipt_id="walked", at=NOW, body="{}")])
        put([message("walked", "dead", 1, endpoint_name="walked", **about)])
    page, send = browser.page, "/console/messages/msg_walked/send"
    browser.open("/console/endpoints/walked", "he")
    browser.follow(page.locator("a[href$=msg_walked]"))
    browser.follow(page.locator(f"form[action='{send}'] button"))
    assert SCRIPT in page.locator(".answer").inner_text()
    assert (page.locator(".alert-danger").count(), "500" in page.locator("main").inner_text()) == (1, True)
    assert (browser.violations(), browser.overflow_px()) == ([], 0)

    browser.follow(page.locator("a[href$=msg_walked]"))
    browser.follow(page.locator(f"form[action='{send}'] button"))
    assert "taken by erp-17" in page.locator(".answer").inner_text()

    assert "The message was not sent" in act(troubled, send).text
    assert len(httpserver.log) == 2
    browser.open("/console/endpoints/walked")
    assert page.locator(".by-code [aria-current]").inner_text() == "Delivered"
    assert browser.violations() == []
    history = of_api(troubled, "/api/messages/msg_walked")["history"]
    assert [(each["trigger"], each["by"], each["status_code"]) for each in history] == [
        ("manual", PERSON, 500),
        ("manual", PERSON, 200),
    ]


def test_conditions_of_a_complete_archive_are_on_every_page_that_speaks_of_it(troubled: Console) -> None:
    with troubled.person() as person:
        dossier = person.get(f"/console/archives/{WRONG}").text
        overview, failed = person.get("/console/").text, person.get("/console/failed").text
        listed = [person.get(f"/console/archives?condition={code}").text for code in ("RUN_FAILED", "FILE_DAMAGED")]
        listed.append(person.get("/console/archives?attention=true").text)

    assert dossier.index("The store has other bytes than were written.") < dossier.index('id="summary"')
    assert DAMAGED in dossier
    assert "Two records disagree, and no rule says which of them is right." in dossier
    told = dossier.partition('id="messages"')[2]
    assert all(each in told for each in ("http://127.0.0.1:9/hook", "Delivered"))
    assert "/console/archives?condition=FILE_DAMAGED" in overview
    assert "/console/archives?condition=RUN_FAILED" in failed
    assert [WRONG in each for each in (failed, *listed)] == [True, True, True, True]
    assert [each["condition"] for each in of_api(troubled, "/api/failures")["items"]][-1] == "RUN_FAILED"


def test_twenty_alike_troubles_are_rows_of_one_line_that_say_the_title_of_their_archive(
    troubled: Console, browser: Browser
) -> None:
    with installed(troubled.folder, **troubled.settings):
        archived("noa", sample_body("noa"))
        fill([filled(number, cause="KEY_AWAY", reference=f"alike-{number}") for number in range(300, 320)])
        held = [Discrepancy(DiscrepancyCode.AMBIGUOUS_MATCH, f"t{each}", "charged", "held") for each in range(20)]
        reconcile_many({"noa": held}, {DiscrepancyCode.AMBIGUOUS_MATCH}, NOW)
        refused.record([replace(_refused(each), code="TOO_MANY_VALUES") for each in range(10_000, 10_020)])
        put([missing(f"noa-{each}", each, "expired", reference="noa") for each in range(20)])
        put([message(f"noa-{each}", "dead", 1, reference="noa") for each in range(20)])
    page, wide, found = browser.page, browser.page.viewport_size, dict[tuple[str, str], int]()
    assert wide
    page.set_viewport_size({"width": 1280, "height": 800})
    pages = {"discrepancies?code=AMBIGUOUS_MATCH": "client", "missing?why=expired": "client", DEAD[9:]: "client"}
    pages |= {"refused?code=TOO_MANY_VALUES": "default"}
    for path, language in product(pages, ("en", "he")):
        browser.open(f"/console/{path}", language)
        rows = page.locator(".triage tbody tr", has_text=pages[path])
        boxes = rows.evaluate_all("rows => rows.map((each) => each.getBoundingClientRect().toJSON())")
        bar = page.locator(".triage-decide").bounding_box()
        assert bar
        found[path, language] = sum(box["y"] + box["height"] <= bar["y"] for box in boxes)
        assert {round(box["height"]) for box in boxes} <= {28, 29}
        assert browser.overflow_px() == 0
    page.set_viewport_size(wide)
    assert {path: number for path, number in found.items() if number < 15} == {}
    failed = browser.open("/console/failed").locator(".triage tr a.reference")
    assert "/console/archives/alike-319" in [each.get_attribute("href") for each in failed.all()]
