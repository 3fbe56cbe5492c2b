"""Archives that need attention are found while several transactions write what may cause it or end it. SQLite has one
writer at a time.
"""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from adapters.database.transactions import writing
from adapters.search import entries
from adapters.tables.runs import receipts, refused
from models.runs.receipt import RefusedDelivery
from tests.conftest import Configure
from tests.records import delivery, digest, registered
from tests.services.test_derived import found, wait_for_lock


@pytest.fixture(autouse=True)
def _installation(configure: Configure, postgres_installation: str) -> None:
    configure(database_url=postgres_installation)


def refusal(reference: str, minute: int) -> RefusedDelivery:
    at = delivery(reference, minute=minute).received_at
    return RefusedDelivery(f"{reference}-{minute}", digest(reference), at, 2, "NOT_BASE64", "", "no base64", reference)


def test_refused_delivery_needs_attention_beside_the_first_delivery_whose_registration_is_not_committed() -> None:
    with ThreadPoolExecutor() as threads:
        with writing() as session:
            receipts.register_within(session, delivery("r", minute=1))
            recording: Future[object] = threads.submit(refused.record, [refusal("r", 2)])
            wait_for_lock(recording)
        recording.result()

    assert found(attention=True) == ["r"]


def test_refused_deliveries_are_recorded_while_another_transaction_locks_their_archives_in_another_order() -> None:
    for reference in ("a", "b"):
        registered(reference, reference)

    with ThreadPoolExecutor() as threads:
        with writing() as session:
            entries.set_attention(session, "b")
            recording: Future[object] = threads.submit(refused.record, [refusal("a", 1), refusal("b", 1)])
            wait_for_lock(recording)
            entries.set_attention(session, "a")  # else Postgres ends one of the two
        recording.result()

    assert sorted(found(attention=True)) == ["a", "b"]
