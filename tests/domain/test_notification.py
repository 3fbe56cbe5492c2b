"""What downstream is told: one name a message for ever, and nothing personal."""

import json
from datetime import UTC, datetime

from domain.notification import archive_completed, message_id_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_message_id_never_changes() -> None:
    """The literal: a receiver has stored these ids, so no release may compute them another way."""
    assert message_id_of("ab" * 32, "https://erp.example/hook") == "msg_56145031949ff64e91f16a84743d2392"


def test_message_id_differs_by_receipt_and_by_endpoint() -> None:
    ids = {
        message_id_of(receipt, url)
        for receipt in ("a" * 64, "b" * 64)
        for url in ("https://a.example", "https://b.example")
    }

    assert len(ids) == 4


def test_body_says_what_was_completed_and_where_to_read_on() -> None:
    body = archive_completed(
        reference="תהליך 1",
        receipt_id="ab" * 32,
        version=2,
        planned_at=NOON,
        attention=True,
        signed_document="changed",
        url="https://cellar.example/api/archives/x",
    )

    assert body.isascii()
    assert json.loads(body) == {
        "type": "archive.completed",
        "timestamp": "2026-01-01T12:00:00+00:00",
        "data": {
            "reference": "תהליך 1",
            "receipt_id": "ab" * 32,
            "version": 2,
            "attention": True,
            "signed_document": "changed",
            "url": "https://cellar.example/api/archives/x",
        },
    }


def test_same_input_gives_the_same_bytes() -> None:
    first, second = (
        archive_completed(
            reference="r",
            receipt_id="a",
            version=1,
            planned_at=NOON,
            attention=False,
            signed_document=None,
            url="u",
        )
        for _ in range(2)
    )

    assert first == second
