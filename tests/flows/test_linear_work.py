"""The work for an archive grows no faster than the number of its members of any kind."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.settings.settings import Settings, settings
from domain.archive.reading import reference_of
from domain.body.scan import Scanner
from domain.messages.summaries import MOST_ROWS, summary
from models.access import CELLAR
from services.payments import recorded
from services.processing.completion import complete, load, reconcile_findings
from services.processing.persisting import persist
from services.receipts import stored_archive
from services.views import archive_view
from tests.flows.conftest import received
from tests.work import work_of

_FEW = 30
_MOST_GROWTH = 2.5
"""Growth of the work when the members double: 2 is linear, 4 is quadratic."""
_NOISE = 2000
"""Work that depends on no member: SQLite's steps are counted by the hundred."""

Members = Callable[[int], dict[str, Any]]


def _payment(transaction_id: str | None, cguid: str) -> dict[str, Any]:
    result = {"currency": "ILS", "total": 200, "cguid": cguid, "auth_number": "0000001", "result": "000"}
    payment = {"transaction_id": transaction_id, "session_id": "s", "type": "charge", "status": "success"}
    return payment | {"amount": 100, "provider_transaction_result": result}


# The size is part of transaction ids, so that archives of different sizes share none.
_MEMBERS: dict[str, Members] = {
    "sessions": lambda n: {"sessions": [{"id": f"s{i}", "labels": {"k": "v"}, "integrations": [{}]} for i in range(n)]},
    "labels of a session": lambda n: {"sessions": [{"id": "s", "labels": {f"K{i}": "v" for i in range(n)}}]},
    "invitations": lambda n: {"sessions": [{"recipient": {"invitations": [{"type": "mail"} for _ in range(n)]}}]},
    "integrations": lambda n: {"sessions": [{"integrations": [{"id": i, "status": "failed"} for i in range(n)]}]},
    "fields": lambda n: {"data": [{"id": f"f{i}", "type": "payment", "value": f"t{n}-{i}"} for i in range(n)]},
    "members of a field": lambda n: {"data": [{"id": "f", "meta": {f"m{i}": f"v{i}" for i in range(n)}}]},
    "payments": lambda n: {"payments": [_payment(f"t{n}-{i}", f"c{n}-{i}") for i in range(n)]},
    "payments without a transaction": lambda n: {"payments": [_payment(None, f"c{n}") for _ in range(n)]},
    "attempts": lambda n: {"payments": [_payment(f"t{n}", f"c{n}-{i}") for i in range(n)]},
    "attachments": lambda n: {"attachments": [{"id": f"a{i}", "content": "aGVsbG8="} for i in range(n)]},
    "signatures": lambda n: {"signatures": [{"id": f"g{i}", "signed_by": {"id": i}} for i in range(n)]},
    "warnings": lambda n: {"sessions": [{"id": "s", "submitted_at": 7, "author": 3} for _ in range(n)]},
    "unknown members": lambda n: {f"x{i}": [{"y": i}] for i in range(n)},
}


def _body(reference: str, members: dict[str, Any]) -> bytes:
    event = {"type": "WHP_ARCHIVE", "timestamp": "2024-01-02T03:04:05"}
    return json.dumps({"event": event, "reference": reference, "sessions": [{"id": "s"}]} | members).encode()


def _work(kind: str, size: int) -> dict[str, int]:
    """Return the work of each step in the second run. The first run also compiles statements and imports modules."""
    for reference, measure in ((f"first-{size}", _run), (f"process-{size}", work_of)):
        work = dict(_steps(reference, _body(reference, _MEMBERS[kind](size)), measure))
    return work


def _run(call: Callable[[], object]) -> int:
    """Make a call without counting its work, which takes less time."""
    call()
    return 0


def _steps(reference: str, body: bytes, measure: Callable[[Callable[[], object]], int]) -> Iterator[tuple[str, int]]:
    """Take a body through every step of an archive, and yield the work of each step."""

    def _scan() -> None:
        scanner = Scanner()
        scanner.feed(body)
        reference_of(scanner.close().document)

    yield "scan", measure(_scan)
    receipt_id = received(reference, body).receipt_id
    yield "persist", measure(lambda: persist(reference, receipt_id))
    yield "read", measure(lambda: stored_archive(reference, receipt_id))
    archived = stored_archive(reference, receipt_id)
    yield "load", measure(lambda: load(archived))
    yield "reconcile", measure(lambda: reconcile_findings(archived))
    yield "reconcile again", measure(lambda: reconcile_findings(archived))
    reconciled = reconcile_findings(archived)
    yield "complete", measure(lambda: complete(archived, reconciled.payload))
    yield "summary", measure(lambda: _summary(reference, receipt_id))
    yield "show", measure(lambda: archive_view.archive(reference, CELLAR))


def _summary(reference: str, receipt_id: str) -> str:
    found, terms = recorded.not_closed(reference, MOST_ROWS), settings().payment_terms
    archive = stored_archive(reference, receipt_id).archive
    return summary(archive, found, [], discrepancies_in_all=0, version=1, archive_url="", terms=terms)


@pytest.mark.parametrize("kind", _MEMBERS)
def test_work_grows_no_faster_than_the_number_of_members(kind: str, sqlite_installation: Settings) -> None:
    few, more, most = (_work(kind, size) for size in (_FEW, 2 * _FEW, 4 * _FEW))

    added = {step: (more[step] - few[step], most[step] - more[step]) for step in few}
    assert {step: each for step, each in added.items() if each[1] > _MOST_GROWTH * each[0] + _NOISE} == {}
