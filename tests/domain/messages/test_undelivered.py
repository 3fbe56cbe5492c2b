"""What the end of a run says about its messages."""

from datetime import UTC, datetime

import pytest

from domain.messages.undelivered import undelivered_text
from models.messages.notification import NotificationRow, NotificationState

LAST = datetime(2026, 11, 29, 18, 47, tzinfo=UTC)
TRIED = "not confirmed yet; cellar tries until 2026-11-29 18:47 UTC."
PENDING, DELIVERED, DEAD = NotificationState.PENDING, NotificationState.DELIVERED, NotificationState.DEAD


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ([PENDING], f"1 of 1 message is {TRIED}"),
        ([DELIVERED, PENDING, PENDING], f"2 of 3 messages are {TRIED}"),
        ([DELIVERED, DEAD], "1 of 2 messages is given up."),
        ([PENDING, DEAD, DEAD], f"1 of 3 messages is {TRIED} 2 of 3 messages are given up."),
    ],
)
def test_end_of_a_run_says_how_many_messages_wait_and_until_when(states: list[NotificationState], text: str) -> None:
    said = undelivered_text([message(each) for each in states])

    assert said == f"The archive is complete. {text} Retry delivers now."


def test_end_of_a_run_whose_messages_are_confirmed_or_skipped_says_nothing() -> None:
    assert undelivered_text([message(DELIVERED), message(NotificationState.SKIPPED)]) is None
    assert undelivered_text([]) is None


def message(state: NotificationState) -> NotificationRow:
    return NotificationRow(
        message_id=f"msg_{state}", reference="r", receipt_id="1", endpoint="https://erp.example", endpoint_name="erp",
        event="archive.completed", state=state, planned_at=LAST, expires_at=LAST,
    )  # fmt: skip
