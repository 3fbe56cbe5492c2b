"""The sweep finds what was stored and not triggered. Prefect is away, so a sending gets as far as its registration."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.inbox import Intake
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.conftest import wait_until


@pytest.fixture
def sweeping(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path, sweep_interval_s=0.2, api_tokens=TOKEN) as receiver:
        yield receiver


def test_sweep_goes_on_after_a_record_that_it_cannot_read(sweeping: Receiver) -> None:
    unreadable = sweeping.inbox / "waiting" / "0.json"
    unreadable.parent.mkdir(parents=True)
    unreadable.write_bytes(b"")
    wait_until(lambda: "the sweep stopped" in sweeping.log.read_text(), timeout_s=10)
    unreadable.unlink()

    intake = Intake(sweeping.inbox)
    intake.write(b"{}")
    intake.accept("swept", datetime.now(UTC), {})

    wait_until(lambda: _state(sweeping, "swept") == "received", timeout_s=10)


def _state(receiver: Receiver, reference: str) -> str | None:
    answer = receiver.client.get(f"/api/archives/{reference}", headers={"authorization": f"Bearer {TOKEN}"})
    state: str | None = answer.json().get("state")
    return state
