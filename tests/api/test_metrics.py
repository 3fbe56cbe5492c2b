"""`/metrics` counts what the receiver answers, and shows what waits, without waiting for what hangs."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import TOKEN, Receiver, receiving
from tests.api.senders import Sender
from tests.samples import sample_body
from tests.scrapes import Scrape, scraped


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiving(tmp_path_factory.mktemp("metered"), api_tokens=TOKEN) as receiver:
        yield receiver


def _grown(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    return (after.value(name, labels) or 0) - (before.value(name, labels) or 0)


def test_deliveries_are_counted_by_status_and_code(metered: Receiver) -> None:
    before, body = scraped(metered.url, TOKEN), sample_body("counted")

    metered.post(body)
    metered.post(b"{}")
    metered.post(b"{}", headers={})

    after = scraped(metered.url, TOKEN)
    assert _grown(before, after, "cellar_deliveries_total", status="200", code="ACKNOWLEDGED") == 1
    assert _grown(before, after, "cellar_deliveries_total", status="422", code="EVENT_MISSING") == 1
    assert _grown(before, after, "cellar_deliveries_total", status="401", code="UNAUTHORIZED") == 1
    assert _grown(before, after, "cellar_refused_deliveries_total") == 1
    assert _grown(before, after, "cellar_unauthorised_requests_total", face="webhook") == 1
    assert _grown(before, after, "cellar_body_bytes_sum") == len(body)
    assert _grown(before, after, "cellar_acknowledgement_seconds_count") == 1


def test_what_waits_in_the_inbox_is_shown_with_its_age(tmp_path: Path) -> None:
    """Prefect is away, so receipts wait. Two deliveries of a body are one receipt."""
    with receiving(tmp_path, api_tokens=TOKEN) as receiver:
        for reference in ("waits", "waits", "waits too"):
            receiver.post(sample_body(reference))

        found = scraped(receiver.url, TOKEN)

        assert found.value("cellar_waiting_receipts") == 2
        assert (found.value("cellar_oldest_waiting_receipt_age_seconds") or 0) > 0


def test_delivery_in_flight_is_shown_with_its_bytes(metered: Receiver) -> None:
    with Sender(metered, "content-length: 5000"):
        found = scraped(metered.url, TOKEN)

        assert found.value("cellar_deliveries_in_flight") == 1
        assert found.value("cellar_in_flight_bytes") == 5000


def test_hanging_database_makes_a_scrape_short_not_late(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        location = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/cellar"
        with receiving(tmp_path, is_migrated=False, database_url=location, api_tokens=TOKEN) as receiver:
            for _ in range(3):
                found = scraped(receiver.url, TOKEN)

    assert found.value("cellar_database_up") == 0
    assert found.value("cellar_ready") == 1
    assert not {"cellar_archives", "cellar_discrepancies", "cellar_notifications"} & found.names
    assert found.value("cellar_waiting_receipts") == 0


def test_no_label_grows_with_the_data(metered: Receiver) -> None:
    metered.post(sample_body("labelled"))

    found = scraped(metered.url, TOKEN)

    assert found.labels == {
        *("status", "code", "source", "outcome", "face", "state", "cause", "waits_for", "place", "le", "type", "why"),
        *("kind", "fault", "severity"),
    }


def test_names_have_the_prefix_and_a_unit_or_a_noun_that_is_counted(metered: Receiver) -> None:
    units = r"_(seconds|bytes|total)(_bucket|_count|_sum)?"
    counted = (
        "archives|discrepancies|notifications|waiting_receipts|waiting_runs|deliveries_in_flight|ready|database_up"
        "|missing_processes|receiver_processes|conditions|store_findings"
    )

    ours = {name for name in scraped(metered.url, TOKEN).names if not name.startswith("process_")}

    assert [name for name in ours if not re.fullmatch(rf"cellar_(\w+{units}|{counted})", name)] == []
