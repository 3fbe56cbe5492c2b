"""A receiver that turns Cellosign away says so to the endpoints: once an hour, however many requests there are."""

import json
from pathlib import Path
from typing import Any

from sqlmodel import select

from api.receiver.refusing import MANY
from models.messages.notification import EventRow, EventType
from tests.api.conftest import Receiver, receiving
from tests.conftest import wait_until
from tests.installations import installed
from tests.records import all_of
from tests.samples import sample_body

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOTIFIED: dict[str, Any] = {"notify_urls": "https://erp.example/hook", "notify_secret": SECRET}


def told() -> list[dict[str, Any]]:
    found = all_of(select(EventRow.body).where(EventRow.type == EventType.RECEIVER_REFUSING))
    return [json.loads(each)["data"] for each in found]


def test_flood_without_a_valid_secret_is_announced_in_one_message(tmp_path: Path) -> None:
    with receiving(tmp_path, **NOTIFIED) as receiver, installed(tmp_path, **NOTIFIED):
        for _ in range(MANY * 20):
            assert receiver.post(sample_body(), {"authorization": "Bearer of last year"}).status_code == 401
        wait_until(lambda: bool(told()))
        for _ in range(MANY * 20):
            receiver.post(sample_body(), {"authorization": "Bearer of last year"})
        quarantined(receiver)

        messages = told()

    assert len({each["first_at"][:13] for each in messages}) == len(messages)
    first = messages[0]
    assert first["by_code"] == {"UNAUTHORIZED": first["requests"]}
    assert first["requests"] >= MANY
    assert first["url"].endswith("/readyz")
    assert "last year" not in json.dumps(first)


def quarantined(receiver: Receiver) -> None:
    """Refused bodies are kept, and reported as such: they do not count."""
    for number in range(MANY * 2):
        assert receiver.post(b"{%d" % number).status_code == 400
