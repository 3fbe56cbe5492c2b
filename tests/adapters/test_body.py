"""The raw body of a receipt is found wherever it is."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters import inbox, store
from adapters.body import keep_body, opened_body
from adapters.inbox import Intake
from adapters.settings import Settings, settings
from models.errors import Refused
from tests.adapters.records import NOON, digest
from tests.installations import bucket_at


@pytest.fixture(params=["folder", "bucket"])
def inbox_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["folder", "bucket"])
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def receipt_id(
    request: pytest.FixtureRequest, configure: Callable[..., Settings], inbox_kind: str, store_kind: str
) -> str:
    """A body that waits in the inbox: each kind of inbox before each kind of store."""
    prefix = f"s3://archives/{secrets.token_hex(8)}"
    kinds = {"inbox_url": inbox_kind, "store_url": store_kind}
    urls = {name: f"{prefix}/{name}" for name, kind in kinds.items() if kind == "bucket"}
    configure(**urls, **bucket_at(request.getfixturevalue("s3_server")) if urls else {})
    intake = Intake()
    intake.digest(b"body")
    intake.write([b"body"])
    return intake.accept("r", NOON, {}).receipt_id


def read(receipt_id: str) -> bytes:
    with opened_body("r", receipt_id) as body:
        return body.read()


def test_body_is_read_from_the_inbox_while_it_waits_there(receipt_id: str) -> None:
    assert read(receipt_id) == b"body"


def test_body_is_read_from_the_store_afterwards(receipt_id: str) -> None:
    for _ in range(2):
        keep_body("r", receipt_id)
    inbox.remove_body(receipt_id)
    keep_body("r", receipt_id)

    assert read(receipt_id) == b"body"


def test_big_body_is_kept_byte_for_byte() -> None:
    body = os.urandom(20_000_000)
    intake = Intake()
    intake.digest(body)
    intake.write([body])
    receipt_id = intake.accept("r", NOON, {}).receipt_id

    keep_body("r", receipt_id)

    assert store.read_bytes(store.request_key("r", receipt_id)) == body


@pytest.mark.parametrize("inbox_kind", ["folder"])
@pytest.mark.parametrize("store_kind", ["folder"])
def test_body_of_a_folder_is_linked_into_a_store_on_its_disk(receipt_id: str, inbox_kind: str, store_kind: str) -> None:
    keep_body("r", receipt_id)

    kept = Path(settings().store_location) / store.request_key("r", receipt_id)
    assert kept.samefile(inbox.body_location(receipt_id))


def test_nothing_is_left_on_the_way(receipt_id: str) -> None:
    keep_body("r", receipt_id)

    spools = (settings().spool_dir, Path(settings().store_location) / "spool")
    assert [each for spool in spools for each in spool.glob("*")] == []


def test_location_where_nothing_lies_is_told(receipt_id: str) -> None:
    with pytest.raises(FileNotFoundError):
        store.keep_from(inbox.body_location(digest("unknown")), store.request_key("r", receipt_id))


def test_body_that_leaves_the_inbox_while_it_is_read_is_read_to_its_end(receipt_id: str) -> None:
    with opened_body("r", receipt_id) as body:
        start = body.read(2)
        inbox.remove_body(receipt_id)

        assert start + body.read() == b"body"


def test_body_that_is_nowhere_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        read(digest("unknown"))

    assert refused.value.code == "BODY_MISSING"


def test_body_of_another_process_is_not_found_in_the_store(receipt_id: str) -> None:
    keep_body("another", receipt_id)
    inbox.remove_body(receipt_id)

    with pytest.raises(Refused):
        read(receipt_id)
