"""Floods a receiver with wrong secrets and tokens."""

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.unauthorized import Unauthorized
from tests.api.conftest import Receiver, started

ONE = "a request without a valid secret or token is refused"
MANY = "requests without a valid secret or token were refused"


@pytest.mark.usefixtures("configure")
def test_flood_of_wrong_secrets_is_one_line_for_each_door_and_a_summary() -> None:
    with started() as receiver:
        for _ in range(50):
            assert receiver.post(b"{}", {"authorization": "Bearer wrong"}).status_code == 401
            assert receiver.client.get("/api/archives/somebody").status_code == 401
        assert [each["door"] for each in lines(receiver)] == ["webhook", "api"]

    first, second, *summary = lines(receiver)
    assert {each["client"] for each in (first, second, *summary)} == {"127.0.0.1"}
    assert [(each["door"], each["requests"]) for each in summary] == [("webhook", 50), ("api", 50)]
    assert "wrong" not in receiver.log.read_text()
    assert "somebody" not in receiver.log.read_text()


def lines(receiver: Receiver) -> list[dict[str, Any]]:
    found = map(json.loads, receiver.log.read_text().splitlines())
    return [each for each in found if each["event"] in (ONE, MANY)]


def test_clients_beyond_the_fiftieth_share_a_summary() -> None:
    async def _flood() -> Unauthorized:
        unauthorized = Unauthorized()
        for number in range(1000):
            unauthorized.count(f"2001:db8::{number:x}", "webhook")
        unauthorized.summarise()
        return unauthorized

    with capture_logs() as said:
        unauthorized = asyncio.run(_flood())

    assert len(said) == 51
    assert said[-1]["requests"] == 950
    assert unauthorized.requests == 1000
