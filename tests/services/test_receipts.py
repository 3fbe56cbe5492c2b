"""The raw body of a receipt is read from the inbox or rebuilt from the store."""

import secrets
from pathlib import Path

import pytest

from adapters.inbox import inbox
from adapters.settings.settings import Settings
from models.errors import Refused, Transient
from services.processing.persisting import persist
from services.receipts import opened_raw_body
from tests.conftest import Configure, bucket_at
from tests.flows.conftest import received
from tests.samples import sample_body

BODY = sample_body("r")


@pytest.fixture(params=["folder", "bucket"])
def inbox_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["folder", "bucket"])
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def receipt_id(
    request: pytest.FixtureRequest,
    configure: Configure,
    sqlite_installation: Settings,
    inbox_kind: str,
    store_kind: str,
) -> str:
    """Put a body into each kind of inbox before each kind of store, and return its receipt."""
    prefix = f"s3://archives/{secrets.token_hex(8)}"
    kinds = {"inbox_url": inbox_kind, "store_url": store_kind}
    urls = {name: f"{prefix}/{name}" for name, kind in kinds.items() if kind == "bucket"}
    configure(**urls, **bucket_at(request.getfixturevalue("s3_server")) if urls else {})
    return received("r", BODY).receipt_id


def read(reference: str, receipt_id: str) -> tuple[bytes, bool]:
    with opened_raw_body(reference, receipt_id) as body:
        return b"".join(body.chunks), body.is_from_inbox


def test_waiting_body_is_read_from_the_inbox(receipt_id: str) -> None:
    assert read("r", receipt_id) == (BODY, True)


def test_persisted_body_is_rebuilt_from_the_store(receipt_id: str) -> None:
    persist("r", receipt_id)
    inbox.remove([], receipt_id)

    assert read("r", receipt_id) == (BODY, False)


def test_body_that_leaves_the_inbox_during_a_read_is_read_to_its_end(receipt_id: str) -> None:
    with opened_raw_body("r", receipt_id) as body:
        inbox.remove([], receipt_id)

        assert b"".join(body.chunks) == BODY


def test_unknown_body_is_refused(receipt_id: str) -> None:
    for reference, unknown in (("r", "ab" * 32), ("another", receipt_id)):
        persist("r", receipt_id)
        inbox.remove([], receipt_id)

        with pytest.raises(Refused) as refused:
            read(reference, unknown)

        assert refused.value.code == "BODY_MISSING"


@pytest.mark.parametrize("inbox_kind", ["folder"])
def test_unreadable_body_in_the_inbox_is_transient(receipt_id: str, sqlite_installation: Settings) -> None:
    path = Path(sqlite_installation.inbox_location) / "waiting" / f"{receipt_id}.body"
    path.unlink()
    path.mkdir()  # nobody can read it, not even root

    with pytest.raises(Transient, match="a file cannot be read: it is a folder"):
        read("r", receipt_id)
