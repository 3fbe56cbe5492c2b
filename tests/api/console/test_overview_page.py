"""The overview leads to each trouble, and draws its charts from real tables."""

from playwright.sync_api import Page, expect

from tests.api.console.conftest import Browser, Console
from tests.conftest import wait_until

CANVAS = ".chart-canvas canvas"


def picture(page: Page) -> str:
    return str(page.locator(CANVAS).first.evaluate("canvas => canvas.toDataURL()"))


def test_each_trouble_is_a_link_to_its_page(troubled: Console, browser: Browser) -> None:
    page = browser.open("/console/")

    found = {each.get_attribute("href"): each.inner_text().split()[0] for each in page.locator(".tile-link").all()}
    assert found == {
        "/console/failed": "3",
        "/console/archives?condition=RUN_FAILED": "1",
        "/console/archives?condition=FILE_DAMAGED": "1",
        "/console/missing": "2",
        "/console/refused": "2",
        "/console/discrepancies?state=open": found["/console/discrepancies?state=open"],
        "/console/endpoints": "1",
    }
    for path in found:
        assert page.request.get(f"{troubled.url}{path}").ok


def test_open_discrepancies_are_said_in_words_with_their_codes(troubled: Console) -> None:
    with troubled.person() as person:
        page = person.get("/console/").text

    assert "The archive has a payment that no field of the form refers to." in page
    assert "<small><code>PAYMENT_WITHOUT_FIELD</code></small>" in page


def test_seven_charts_are_drawn_beside_their_tables(troubled: Console, browser: Browser) -> None:
    assert troubled
    page = browser.open("/console/")

    expect(page.locator(CANVAS)).to_have_count(7)
    failures = page.locator("section[aria-labelledby=failures-title]")
    assert failures.locator(".chart-table thead th").all_text_contents()[1:] == [
        "The store does not answer, or cannot be written",
        "Two records disagree, and no rule says which of them is right",
    ]
    assert failures.locator(".chart-table tbody tr").count() == 25


def test_charts_of_a_month_begin_a_day_before_the_first_delivery(troubled: Console, browser: Browser) -> None:
    assert troubled
    page = browser.open("/console/?span=month")

    expect(page.locator(CANVAS)).to_have_count(7)
    assert page.locator("section[aria-labelledby=arrivals-title] .chart-table tbody tr").count() in (3, 4)
    assert "Since the first delivery" in page.locator("main").inner_text()


def test_point_of_a_chart_leads_to_what_arrived_in_its_time_by_click_and_by_keys(
    troubled: Console, browser: Browser
) -> None:
    page = browser.open("/console/")
    rows = page.locator("section[aria-labelledby=refusals-title] .chart-table tbody tr")
    ago = rows.evaluate_all("rows => rows.findIndex(row => row.cells[1].dataset.value === '1')")
    link = rows.nth(ago).locator("a").get_attribute("href")
    chart = page.locator("section[aria-labelledby=refusals-title] [role=slider]")
    chart.focus()
    for _ in range(ago):
        page.keyboard.press("ArrowLeft")
    assert "Refused 1" in str(chart.get_attribute("aria-valuetext"))
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == f"{troubled.url}{link}"
    assert page.locator("main tbody .title").count() == 2  # a row in two cells of titles
    assert "NOT_JSON" in page.locator("main").inner_text()

    page = browser.open("/console/")
    over = page.locator("section[aria-labelledby=refusals-title] .u-over")
    late = (rows.count() - ago - 0.25) / rows.count()  # in its time, and nearer to the point of the next hour
    with page.expect_navigation():
        over.click(position={"x": over.evaluate("each => each.clientWidth") * late, "y": 9})
    assert page.url == f"{troubled.url}{link}"

    page = browser.open("/console/")
    with page.expect_navigation():
        page.locator("section[aria-labelledby=arrivals-title] .u-over").click(position={"x": 2, "y": 9})
    assert "/console/archives?received_after=" in page.url
    assert not page.locator("tr[data-reference]").count()


def test_charts_are_drawn_anew_when_the_colours_change(troubled: Console, browser: Browser) -> None:
    assert troubled
    page = browser.open("/console/")
    expect(page.locator(CANVAS)).to_have_count(7)
    light = picture(page)

    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")

    wait_until(lambda: picture(page) != light, timeout_s=60)


def test_overview_has_its_tables_without_script(troubled: Console) -> None:
    with troubled.person() as person:
        text = person.get("/console/").text

    assert text.count("<caption") >= 7
    assert '<td class="number" data-value="1">1</td>' in text
