"""An archive costs few requests to the bucket and to the database: each takes milliseconds, and some are paid for."""

import asyncio
import base64
import re
import secrets
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.waiting import Wait

from adapters.files import bucket
from adapters.tables.runs import receipts
from flows.process_archive import process_archive
from models.archive.archive import State
from tests.conftest import Configure, bucket_at
from tests.flows.conftest import received
from tests.samples import PNG, sample_body

KINDS = {
    r".*\.body": "body",
    r".*Z-[0-9a-f]{8}\.json": "delivery",
    r".*/keys/.*": "key",
    r".*/logs/history/.*": "history",
    r".*/content/.*/files/[^/]*": "file",
    r".*/v[0-9]+/content/.*": "part of a request",
    r".*/v[0-9]+/inventory\.json": "inventory of a version",
    r".*/v[0-9]+/inventory\.json\.sha256": "sidecar of a version",
    r".*/inventory\.json": "inventory",
    r".*/inventory\.json\.sha256": "sidecar",
    r".*/0%3Docfl_.*": "declaration",
}
"""Names the kinds of keys. The first pattern that matches the whole path decides."""
TO_THE_BUCKET = {
    "PUT body": 1,
    "PUT delivery": 1,
    "GET body": 1,
    "LIST": 2,  # the object, and later judgements
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
MOST_TO_THE_DATABASE = 80

pytestmark = pytest.mark.usefixtures("prefect", "sqlite_installation")


def archive(reference: str) -> None:
    """Take an archive of four files from its arrival to the end of its run."""
    attachments = [{"id": str(i), "content": base64.b64encode(PNG + bytes([i])).decode()} for i in range(3)]
    receipt_id = received(reference, sample_body(reference, attachments=attachments)).receipt_id
    asyncio.run(process_archive(reference, receipt_id))
    assert receipts.get(receipt_id).state == State.COMPLETED


def test_archive_of_four_files_costs_these_requests_to_the_bucket(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, s3_server: str
) -> None:
    url, made, beside = f"s3://archives/{secrets.token_hex(8)}", list[str](), 0
    configure(store_url=f"{url}/store", inbox_url=f"{url}/inbox", **bucket_at(s3_server))

    def count(request: Any, **_: Any) -> None:
        address = urlsplit(request.url)
        kind = next((kind for pattern, kind in KINDS.items() if re.fullmatch(pattern, address.path)), address.path)
        made.append("LIST" if "list-type=" in address.query else f"{request.method} {kind}")

    def in_turn(*works: Callable[[], Any]) -> list[Any]:
        nonlocal beside
        results, places = [], [len(made) - beside]
        for work in works:
            results.append(work())
            places.append(len(made) - beside)
        each = [after - before for before, after in pairwise(places)]
        beside += sum(each) - max(each, default=0)
        return results

    archive("process-1")  # makes what an installation makes once
    bucket.client().meta.events.register("before-send.s3", count)
    monkeypatch.setattr(bucket, "at_once", in_turn)
    archive("process-2")

    assert Counter(made) == TO_THE_BUCKET
    assert (len(made), len(made) - beside) == (37, IN_A_ROW)


def test_run_costs_no_more_requests_to_the_database_than_these(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, postgres_installation: str
) -> None:
    """A request is what waits for an answer. Other statements are sent along with the next one that does."""
    made, wait = 0, psycopg.Connection.wait

    def waits(steps: Any) -> Any:
        nonlocal made
        ready, is_awaited = None, False
        while True:
            try:
                wanted = steps.send(ready)
            except StopIteration as end:
                made += is_awaited
                return end.value
            is_awaited |= wanted == Wait.R
            ready = yield wanted

    monkeypatch.setattr(psycopg.Connection, "wait", lambda its, steps, *rest: wait(its, waits(steps), *rest))
    configure(database_url=postgres_installation)
    found = list[int]()
    for number in range(4):  # the first makes what an installation makes once; a late one pings its connection
        made = 0
        archive(f"process-{number}")
        found.append(made)

    assert 40 < min(found) <= MOST_TO_THE_DATABASE
