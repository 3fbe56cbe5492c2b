"""Floods a receiver with wrong secrets and tokens."""

import asyncio
import json
import os
import pty
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select
from structlog.testing import capture_logs

from adapters.settings.settings import settings
from adapters.tables.people import logins
from api.authorization import Unauthorized
from api.console.frame.threads import in_thread_of_passwords
from models.people import WrongTokensRow
from tests.api.conftest import Receiver, started
from tests.conftest import LONGEST_S, Configure, free_port, make_tables, wait_until
from tests.records import all_of

ONE = "a request without a valid secret or token is refused"
MANY = "requests without a valid secret or token were refused"


@pytest.mark.usefixtures("sqlite_installation")
def test_flood_of_wrong_secrets_is_one_line_for_each_door_and_a_summary() -> None:
    with started() as receiver:
        for _ in range(50):
            assert receiver.post(b"{}", {"authorization": "Bearer wrong"}).status_code == 401
            assert receiver.client.get("/api/archives/somebody").status_code == 401
        assert [each["door"] for each in lines(receiver)] == ["webhook", "api"]
        kept = settings().secret_path("first-login")
        wait_until(lambda: f'"{kept}"' in receiver.log.read_text())

    first, second, *summary = lines(receiver)
    assert {each["client"] for each in (first, second, *summary)} == {"127.0.0.1"}
    assert [(each["door"], each["requests"]) for each in summary] == [("webhook", 50), ("api", 50)]
    said = receiver.log.read_text().replace(str(kept), "")  # which has the name of this test
    assert not [each for each in ("wrong", "somebody", "/console/password/") if each in said]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "/console/password/admin." in kept.read_text()


@pytest.mark.usefixtures("sqlite_installation")
def test_first_login_that_a_terminal_shows_is_in_its_file_too() -> None:
    """Where the README says that it is."""
    make_tables()
    mine, terminal = pty.openpty()
    printing = "from cli.programs.receiver import print_first_login; print_first_login()"
    subprocess.run([sys.executable, "-c", printing], stdout=terminal, check=True, timeout=LONGEST_S)
    os.close(terminal)
    shown = os.read(mine, 10_000).decode()
    os.close(mine)

    assert settings().secret_path("first-login").read_text().strip() in shown


def test_flood_of_wrong_tokens_is_limited_for_all_receivers_and_locks_nobody_out(
    configure: Configure,
) -> None:
    """The address of a client stands in X-Forwarded-For: this machine is a proxy that is trusted."""
    make_tables()
    with started() as receiver:
        configure(port=free_port())
        with started() as other:
            statuses = [_ask(receiver, "wrong") for _ in range(30)]

            assert statuses == [401] * 20 + [429] * 10
            assert int(_asked(receiver, "wrong").headers["retry-after"]) in range(1, 61)
            assert _ask(receiver, receiver.token) == 200
            assert _ask(receiver, None) == 401
            assert _ask(receiver, "wrong", "203.0.113.8") == 401
            assert _ask(other, "wrong") == 401
            wait_until(lambda: _counted("203.0.113.7/200/") == 21)
            assert _counted("203.0.113.7/50/") > 20
            learned = [_ask(other, "wrong")]
            while learned[-1] != 429:
                learned.append(_ask(other, "wrong"))
            assert len(learned) < 20
            assert {_ask(receiver, "wrong", f"2001:db8:1:2::{each:x}") for each in range(20)} == {401}
            assert [_ask(receiver, "wrong", f"2001:db8:1:{each}::9") for each in (2, 3)] == [429, 401]


def _counted(network: str) -> int:
    return max((row.number for row in all_of(select(WrongTokensRow)) if network in row.key), default=0)


def _ask(receiver: Receiver, token: str | None, address: str = "203.0.113.7") -> int:
    return _asked(receiver, token, address).status_code


def _asked(receiver: Receiver, token: str | None, address: str = "203.0.113.7") -> httpx.Response:
    headers = {"x-forwarded-for": address} | ({"authorization": f"Bearer {token}"} if token else {})
    return receiver.client.get("/api/archives", headers=headers)


@pytest.mark.usefixtures("installation")
def test_counts_of_receivers_add_up_until_their_span_of_time_ends() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    ends_at = now + timedelta(minutes=1)
    many = {f"{number}": (1, ends_at) for number in range(3000)}

    assert logins.add_wrong_tokens(many, now)["7"] == (1, ends_at)
    assert logins.add_wrong_tokens({"7": (4, ends_at + timedelta(seconds=5))}, now) == {"7": (5, ends_at)}
    assert logins.add_wrong_tokens({"7": (2, ends_at + timedelta(minutes=1))}, ends_at)["7"][0] == 2
    assert len(all_of(select(WrongTokensRow))) == 1


def lines(receiver: Receiver) -> list[dict[str, Any]]:
    found = map(json.loads, receiver.log.read_text().splitlines())
    return [each for each in found if each["event"] in (ONE, MANY)]


def test_clients_beyond_the_fiftieth_share_a_summary() -> None:
    async def _flood() -> None:
        unauthorized = Unauthorized()
        for number in range(1000):
            unauthorized.count(f"2001:db8::{number:x}", "webhook")
        unauthorized.summarise()

    with capture_logs() as said:
        asyncio.run(_flood())

    assert len(said) == 51
    assert said[-1]["requests"] == 950


@time_machine.travel(datetime(2026, 11, 29, 12, tzinfo=UTC), tick=False)
def test_hundred_thousand_guesses_of_an_address_are_twenty_checks_a_minute_and_hinder_nobody_else() -> None:
    async def _guessed() -> tuple[int, list[int]]:
        unauthorized = Unauthorized()
        checked = sum(unauthorized.guess("203.0.113.1") == 0 for _ in range(100_000))
        honest = [("198.51.100.1",), ("203.0.113.1", "her browser"), ("203.0.113.1",)]
        return checked, [unauthorized.guess(*each) for each in honest]

    checked, waits_s = asyncio.run(_guessed())

    assert checked == 20
    assert waits_s == [0, 0, 60]


def test_checks_of_passwords_take_turns_by_address_and_wait_for_few_addresses() -> None:
    """Checks of a flood hold one of two threads, until the check of another address has been made."""
    is_answered = threading.Event()

    async def _checked() -> tuple[list[bool], list[object]]:
        flood = [
            asyncio.ensure_future(in_thread_of_passwords("a", is_answered.wait, LONGEST_S / 10)) for _ in range(10)
        ]
        await asyncio.sleep(0)
        await in_thread_of_passwords("b", is_answered.set)
        waited = await asyncio.gather(*flood)
        many = (in_thread_of_passwords(f"address {number}", is_answered.wait) for number in range(101))
        return waited, await asyncio.gather(*many, return_exceptions=True)

    waited, answers = asyncio.run(_checked())

    assert waited == [True] * 10
    assert answers[:100] == [True] * 100
    assert getattr(answers[100], "code", "") == "TOO_MANY_REQUESTS"


def test_right_password_counts_as_no_guess() -> None:
    async def _waits_s() -> set[int]:
        unauthorized = Unauthorized()
        waits_s = set()
        for _ in range(100):
            waits_s.add(unauthorized.guess("198.51.100.1"))
            unauthorized.was_right("198.51.100.1")
        return waits_s

    assert asyncio.run(_waits_s()) == {0}


@time_machine.travel(datetime(2026, 11, 29, 12, tzinfo=UTC), tick=False)
def test_hundred_thousand_wrong_tokens_or_links_are_compared_fifty_times_a_minute_and_hinder_nobody_elsewhere() -> None:
    unauthorized, attacker = Unauthorized(), "203.0.113.7"
    for number in range(100):  # all right
        assert unauthorized.may_try(attacker, f"the token of neighbour {number}")
        unauthorized.keep_right(attacker, f"the token of neighbour {number}")
    compared = sum(unauthorized.may_try(attacker, f"guess {number}") for number in range(100_000))

    assert compared == 50
    assert unauthorized.may_try(attacker, "the token of neighbour 7")
    assert unauthorized.may_try("198.51.100.1", "a token of another network")
    assert not unauthorized.may_try(attacker, "a new token")
