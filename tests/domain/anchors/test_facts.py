"""A fact stays the same as long as what it says does, however its row is written."""

from typing import Any

from domain.anchors import fact_of_delivery, fact_of_judgement, facts_of_discrepancies, facts_of_receipt

RECEIPT = {
    "receipt_id": "a" * 64,
    "received_at": "2026-11-26T08:00:00Z",
    "completed_at": "2026-11-26T08:00:01.500000Z",
    "size_bytes": 100,
    "state": "completed",
}
DELIVERY = {
    "delivery_id": "d1",
    "receipt_id": "a" * 64,
    "received_at": "2026-11-26T08:00:00Z",
    "outcome": "new",
    "headers": {"content-type": "application/json", "x-request-id": "1"},
    "flow_run_id": None,
}
RUN = {
    "flow_run_id": "r1",
    "attempt": 1,
    "receipt_id": "a" * 64,
    "trigger": "webhook",
    "state": "Completed",
    "failed_task": None,
    "cause_code": None,
    "cause_error": None,
    "cause_sentence": None,
    "started_at": "2026-11-26T08:00:00Z",
    "ended_at": "2026-11-26T08:00:02Z",
}
MESSAGE = {
    "message_id": "m1",
    "receipt_id": "a" * 64,
    "endpoint": "https://example.com",
    "event": "archive.completed",
    "state": "pending",
    "planned_at": "2026-11-26T08:00:02Z",
}
ATTEMPT = {
    "message_id": "m1",
    "attempt": 1,
    "attempted_at": "2026-11-26T08:00:03Z",
    "status_code": 200,
    "error": None,
}
EVENT = {"discrepancy_id": "x", "number": 1, "state": "open", "at": "2026-11-26T08:00:03Z", "by": None, "why": None}


def facts(**rows: Any) -> set[str]:
    every: dict[str, Any] = {
        "receipt": [RECEIPT],
        "delivery": [DELIVERY],
        "run": [RUN],
        "notification": [MESSAGE],
        "notification_attempt": [ATTEMPT],
    }
    return set(facts_of_receipt(every | rows))


def test_facts_of_a_complete_receipt() -> None:
    found = facts()

    assert len(found) == 5
    assert all(len(each) == 32 for each in found)
    assert facts(delivery=[]) < found


def test_column_of_a_later_version_changes_no_fact() -> None:
    assert facts(receipt=[RECEIPT | {"new_column": 1}], run=[RUN | {"new_column": 1}]) == facts()


def test_time_in_another_form_is_the_same_fact() -> None:
    assert facts(receipt=[RECEIPT | {"received_at": "2026-11-26T10:00:00+02:00"}]) == facts()
    utc = set(facts_of_discrepancies({"discrepancy_event": [EVENT | {"at": "2026-11-26T08:00:03+00:00"}]}))
    assert utc == set(facts_of_discrepancies({"discrepancy_event": [EVENT]}))


def test_what_a_run_may_still_change_is_no_fact() -> None:
    waits = facts(receipt=[RECEIPT | {"state": "processing", "completed_at": None}])

    assert len(waits) == 3
    assert waits < facts()
    assert facts(run=[RUN | {"ended_at": None, "state": "Running"}]) < facts()
    assert facts(delivery=[DELIVERY | {"flow_run_id": "r1"}]) == facts()
    assert facts(notification=[MESSAGE | {"state": "delivered"}]) == facts()


def test_order_of_headers_is_no_fact() -> None:
    assert (
        facts(delivery=[DELIVERY | {"headers": {"x-request-id": "1", "content-type": "application/json"}}]) == facts()
    )


def test_every_forged_column_is_another_fact() -> None:
    forged: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "receipt": (RECEIPT, {"received_at": "2026-11-25T08:00:00Z", "completed_at": None, "size_bytes": 1}),
        "delivery": (DELIVERY, {"received_at": "2026-11-25T08:00:00Z", "outcome": "duplicate", "headers": {}}),
        "run": (RUN, {"state": "Failed", "trigger": "rerun", "started_at": "2026-11-25T08:00:00Z", "cause_code": "X"}),
        "notification": (MESSAGE, {"endpoint": "https://elsewhere.example.com", "event": "archive.failed"}),
        "notification_attempt": (ATTEMPT, {"status_code": 500, "error": "gone", "attempted_at": "2026-11-25T08:00Z"}),
    }
    for table, (row, changes) in forged.items():
        for column, value in changes.items():
            assert not facts() <= facts(**{table: [row | {column: value}]}), (table, column)
    for column, value in {"by": "somebody", "why": "no reason", "state": "explained", "number": 2}.items():
        assert set(facts_of_discrepancies({"discrepancy_event": [EVENT | {column: value}]})).isdisjoint(
            facts_of_discrepancies({"discrepancy_event": [EVENT]})
        )


def test_judgement_is_a_fact_of_its_path_and_its_bytes() -> None:
    made = fact_of_judgement("logs/verdicts/1.json", b"{}")

    assert made == fact_of_judgement("logs/verdicts/1.json", b"{}")
    assert made not in (
        fact_of_judgement("logs/verdicts/2.json", b"{}"),
        fact_of_judgement("logs/verdicts/1.json", b""),
    )


def test_delivery_repeats_one_version() -> None:
    made = fact_of_delivery("a" * 64, 1)

    assert made not in (fact_of_delivery("a" * 64, 2), fact_of_delivery("b" * 64, 1))
