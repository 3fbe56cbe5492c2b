"""The raw body of a receipt is found wherever it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters import inbox, store
from adapters.body import opened_body
from adapters.inbox import Intake
from adapters.settings import Settings, settings
from models.errors import Refused
from tests.adapters.records import NOON, digest


@pytest.fixture(autouse=True)
def receipt_id(configure: Callable[..., Settings]) -> str:
    """A body that waits in the inbox."""
    configure()
    intake = Intake(settings().inbox_dir)
    intake.write(b"body")
    return intake.accept("r", NOON, {}).receipt_id


def read(receipt_id: str) -> bytes:
    with opened_body("r", receipt_id) as body:
        return body.read()


def test_body_is_read_from_the_inbox_while_it_waits_there(receipt_id: str) -> None:
    assert read(receipt_id) == b"body"


def test_body_is_read_from_the_store_afterwards(receipt_id: str) -> None:
    store.keep(inbox.body_path(settings().inbox_dir, receipt_id), store.request_key("r", receipt_id))
    inbox.remove_body(settings().inbox_dir, receipt_id)

    assert read(receipt_id) == b"body"


def test_body_that_leaves_the_inbox_while_it_is_read_is_read_to_its_end(receipt_id: str) -> None:
    with opened_body("r", receipt_id) as body:
        start = body.read(2)
        inbox.remove_body(settings().inbox_dir, receipt_id)

        assert start + body.read() == b"body"


def test_body_that_is_nowhere_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        read(digest("unknown"))

    assert refused.value.code == "BODY_MISSING"


def test_body_of_another_process_is_not_found_in_the_store(receipt_id: str) -> None:
    path: Path = inbox.body_path(settings().inbox_dir, receipt_id)
    store.keep(path, store.request_key("another", receipt_id))
    inbox.remove_body(settings().inbox_dir, receipt_id)

    with pytest.raises(Refused):
        read(receipt_id)
