"""An archive costs few requests to the bucket: each takes tens of milliseconds and is paid for."""

import asyncio
import base64
import secrets
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from adapters.files import bucket
from adapters.tables.runs import receipts
from flows.process_archive import process_archive
from models.archive.archive import State
from tests.conftest import Configure, bucket_at
from tests.flows.conftest import received
from tests.flows.counted_bucket import counted
from tests.samples import PNG, sample_body

REQUESTS = {
    "PUT body": 1,
    "PUT delivery": 1,
    "GET body": 1,
    "LIST listing": 2,  # the object, and later judgements
    "PUT key": 1,
    "GET key": 1,
    "HEAD declaration": 1,
    "PUT inventory of a version": 1,
    "PUT file": 4,
    "PUT part of a request": 4,
    "PUT declaration": 1,
    "PUT sidecar of a version": 1,
    "GET inventory of a version": 1,
    "PUT inventory": 1,
    "PUT sidecar": 1,
    "GET inventory": 1,
    "GET part of a request": 4,
    "GET file": 4,
    "GET history": 2,
    "PUT history": 2,
    "DELETE delivery": 1,
    "DELETE body": 1,
}
"""Each file is written once and read back once. Histories are written at the completion and at the end of the run."""
IN_A_ROW = 18  # wait for each other, two of them before the answer

pytestmark = pytest.mark.usefixtures("prefect", "sqlite_installation")


def test_archive_of_four_files_costs_these_requests(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, s3_server: str
) -> None:
    with counted(s3_server) as its:
        url, beside = f"s3://archives/{secrets.token_hex(8)}", 0
        configure(store_url=f"{url}/store", inbox_url=f"{url}/inbox", **bucket_at(its.endpoint))

        def in_turn(*works: Callable[[], Any]) -> list[Any]:
            nonlocal beside
            results, places = [], [len(its.requests) - beside]
            for work in works:
                results.append(work())
                places.append(len(its.requests) - beside)
            made = [after - before for before, after in pairwise(places)]
            beside += sum(made) - max(made, default=0)
            return results

        archive("process-1")  # makes what an installation makes once
        its.requests.clear()
        monkeypatch.setattr(bucket, "at_once", in_turn)
        archive("process-2")

    assert its.by_kind() == REQUESTS
    assert (len(its.requests), len(its.requests) - beside) == (37, IN_A_ROW)


def archive(reference: str) -> None:
    """Take an archive of four files from its arrival to the end of its run."""
    attachments = [{"id": str(i), "content": base64.b64encode(PNG + bytes([i])).decode()} for i in range(3)]
    receipt_id = received(reference, sample_body(reference, attachments=attachments)).receipt_id
    asyncio.run(process_archive(reference, receipt_id))
    assert receipts.get(receipt_id).state == State.COMPLETED
