"""Words the plan of a redelivery for people."""

from collections.abc import Iterator, Mapping

from domain.bulk.plan_text import counted, duration_text, most_first
from models.views.messages.redeliveries import RedeliveryPlan, RedeliveryView


def redelivery_rows(plan: RedeliveryPlan) -> list[tuple[str, str, int]]:
    """Return what a plan counts: kind, value and number of messages, the most frequent first. Pure."""
    by_endpoint = {each.endpoint: each.messages for each in plan.endpoints}
    kinds: Mapping[str, Mapping[str, int]] = {"endpoint": by_endpoint, "state": plan.states, "event": plan.events}
    return [(kind, value, messages) for kind, counts in kinds.items() for value, messages in most_first(counts)]


def redelivery_sentences(plan: RedeliveryPlan) -> Iterator[str]:
    """Yield what would be sent, what stays, and how long it takes. Pure."""
    if plan.messages:
        yield f"{counted(plan.messages, 'message')} would be sent again, each under its own id, and tried for 75 hours."
    else:
        yield "No message would be sent again."
    if confirmed := plan.states.get("delivered", 0):
        yield f"Confirmed before, and would arrive once more: {counted(confirmed, 'message')}."
    if plan.left_out:
        names = ", ".join(f"{name} ({counted(messages, 'message')})" for name, messages in plan.left_out.items())
        yield f"Left out, since they are disabled or removed: the endpoints {names}."
    if plan.filtered:
        yield f"Left out, since the filters of their endpoints leave them out: {counted(plan.filtered, 'message')}."
    if failing := [each.endpoint for each in plan.endpoints if each.failing]:
        yield f"Fails now: {', '.join(failing)}. One message is tried at once; the others wait until one is confirmed."
    if plan.messages:
        yield f"Takes {_duration(plan)}. New messages go first."


def progress_text(found: RedeliveryView) -> str:
    """Return how far a redelivery is, such as `2 of 3 messages delivered, 1 pending`. Pure."""
    others = {"pending": found.pending, "dead": found.dead, "skipped": found.skipped}
    rest = "".join(f", {messages:,} {state}" for state, messages in others.items() if messages)
    return f"{found.delivered:,} of {counted(found.planned, 'message')} delivered{rest}"


def _duration(plan: RedeliveryPlan) -> str:
    rated = [each.endpoint for each in plan.endpoints if each.seconds is not None]
    if plan.seconds is None:
        return "as long as the endpoints need, four messages at a time"
    others = ", longer if others need it" if len(rated) < len(plan.endpoints) else ""
    return f"at least {duration_text(plan.seconds)} at the rate of {', '.join(rated)}{others}"
