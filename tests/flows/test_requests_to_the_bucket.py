"""An archive costs few requests to the bucket: each takes tens of milliseconds and is paid for."""

import asyncio
import base64
import secrets
from collections.abc import Iterator

import pytest

from adapters.settings.settings import Settings
from adapters.tables.runs import receipts
from benchmarks.bucket_requests import CountedBucket, counted
from flows.process_archive import process_archive
from models.archive.archive import State
from tests.conftest import Configure, bucket_at
from tests.flows.conftest import received
from tests.samples import PNG, sample_body

REQUESTS = {
    "PUT body": 1,
    "PUT delivery": 1,
    "GET body": 1,
    "LIST listing": 3,  # the object, before its first key and before its first version; and later judgements
    "PUT key": 1,
    "GET key": 2,
    "HEAD declaration": 1,
    "PUT inventory of a version": 1,
    "PUT file": 4,
    "PUT part of a request": 4,
    "PUT declaration": 1,
    "PUT sidecar of a version": 1,
    "GET inventory of a version": 1,
    "PUT inventory": 1,
    "PUT sidecar": 1,
    "GET inventory": 2,
    "GET part of a request": 4,
    "GET file": 4,
    "GET history": 2,
    "PUT history": 2,
    "DELETE delivery": 1,
    "DELETE body": 1,
}
"""Each file is written once and read back once. Histories are written at the completion and at the end of the run."""

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture
def counted_bucket(configure: Configure, sqlite_installation: Settings, s3_server: str) -> Iterator[CountedBucket]:
    """An installation with inbox and store in a bucket that counts requests."""
    with counted(s3_server) as bucket:
        url = f"s3://archives/{secrets.token_hex(8)}"
        configure(store_url=f"{url}/store", inbox_url=f"{url}/inbox", **bucket_at(bucket.endpoint))
        yield bucket


def test_archive_of_four_files_costs_these_requests(counted_bucket: CountedBucket) -> None:
    archive("process-1")  # makes what an installation makes once

    counted_bucket.requests.clear()
    archive("process-2")

    assert counted_bucket.by_kind() == REQUESTS
    assert sum(REQUESTS.values()) <= 40


def archive(reference: str) -> None:
    """Take an archive of four files from its arrival to the end of its run."""
    attachments = [{"id": str(i), "content": base64.b64encode(PNG + bytes([i])).decode()} for i in range(3)]
    receipt_id = received(reference, sample_body(reference, attachments=attachments)).receipt_id
    asyncio.run(process_archive(reference, receipt_id))
    assert receipts.get(receipt_id).state == State.COMPLETED
