"""The words of the plan of a redelivery."""

from typing import Any

from domain.messages.redelivery_text import redelivery_rows, redelivery_sentences
from models.views.messages.redeliveries import EndpointShare, RedeliveryPlan


def share(name: str, messages: int, *, failing: bool = False, seconds: float | None = None) -> EndpointShare:
    return EndpointShare(endpoint=name, messages=messages, failing=failing, seconds=seconds)


def plan(*shares: EndpointShare, **members: Any) -> RedeliveryPlan:
    nothing: dict[str, Any] = {"states": {}, "events": {}, "left_out": {}, "filtered": 0, "seconds": None}
    found = {"messages": sum(each.messages for each in shares), "endpoints": list(shares)}
    return RedeliveryPlan.model_validate(nothing | found | members)


def test_plan_says_what_is_sent_what_stays_and_how_long_it_takes() -> None:
    shares = (share("erp", 1200, seconds=240), share("crm", 3, failing=True))
    states = {"dead": 1202, "delivered": 1}

    told = list(redelivery_sentences(plan(*shares, states=states, left_out={"old": 5}, filtered=2, seconds=240)))

    assert told == [
        "1,203 messages would be sent again, each under its own id, and tried for 75 hours.",
        "Confirmed before, and would arrive once more: 1 message.",
        "Left out, since they are disabled or removed: the endpoints old (5 messages).",
        "Left out, since the filters of their endpoints leave them out: 2 messages.",
        "Fails now: crm. One message is tried at once; the others wait until one is confirmed.",
        "Takes at least 4 min at the rate of erp, longer if others need it. New messages go first.",
    ]


def test_plan_without_messages_says_so_alone() -> None:
    assert list(redelivery_sentences(plan())) == ["No message would be sent again."]


def test_plan_without_a_rate_takes_as_long_as_the_endpoints_need() -> None:
    assert list(redelivery_sentences(plan(share("crm", 3))))[-1] == (
        "Takes as long as the endpoints need, four messages at a time. New messages go first."
    )


def test_rows_count_messages_by_endpoint_state_and_event() -> None:
    found = plan(share("erp", 2), states={"dead": 2}, events={"archive.completed": 1, "store.damaged": 1})

    assert redelivery_rows(found) == [
        ("endpoint", "erp", 2),
        ("state", "dead", 2),
        ("event", "archive.completed", 1),
        ("event", "store.damaged", 1),
    ]


def test_most_frequent_comes_first_whatever_order_the_database_keeps() -> None:
    """Postgres keeps the members of a plan by the length of their names."""
    rows = redelivery_rows(plan(states={"dead": 2, "pending": 5}, events={"archive.failed": 1, "archive.completed": 6}))
    assert [value for _, value, _ in rows] == ["pending", "dead", "archive.completed", "archive.failed"]
