"""Words the plan of a bulk re-run for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.views.bulk import PlanView

_TASKS = "files, data, payments, notifications"


def plan_rows(plan: PlanView) -> list[tuple[str, str, int]]:
    """Return what a plan counts: kind, value and number of archives, the most frequent first. Pure."""
    rows = [("state", state, archives) for state, archives in most_first(plan.states)]
    rows += [
        ("cause", f"{each.code} in {each.task}" if each.task else each.code, each.archives) for each in plan.causes
    ]
    rows += [("template", each.template_id or "(unknown)", each.archives) for each in plan.templates]
    if plan.archives_of_other_templates:
        rows.append(("template", "(other templates)", plan.archives_of_other_templates))
    return rows


def plan_sentences(plan: PlanView) -> Iterator[str]:
    """Yield what would be done again, what stays, and how long it takes. Pure."""
    if not plan.archives:
        yield "No archive would be run again."
    else:
        yield f"{counted(plan.archives, 'archive')} would be run again, with all the work of a run: {_TASKS}."
        yield from _stays(plan)
    if plan.on_their_way:
        yield f"Left out: {counted(plan.on_their_way, 'archive')} whose run is on its way already."
    if plan.archives:
        yield f"Takes {_duration(plan)}, at most {plan.at_once} at once. New archives go first."


def _stays(plan: PlanView) -> Iterator[str]:
    yield "Files, rows and findings that are right already stay as they are."
    if plan.complete:
        yield f"{counted(plan.complete, 'complete archive')} among these would stay complete if a run fails."
    if plan.undelivered:
        yield f"{counted(plan.undelivered, 'message')} that no endpoint has confirmed would be delivered."
    if plan.endpoints and plan.archives > plan.complete:
        first = plan.archives - plan.complete
        yield f"{counted(first, 'archive')} would notify {counted(plan.endpoints, 'endpoint')} once complete."
    yield "Messages that were delivered are not repeated."


def duration_text(seconds: float) -> str:
    """Return a duration as people say it. Pure."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def filter_text(chosen: Mapping[str, Any]) -> str:
    """Return the filters that are set, such as `state=failed, cause=STORE_AWAY`. Pure."""
    return ", ".join(f"{name}={value}" for name, value in chosen.items() if value != []) or "every archive"


def most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return counts in the order of people. The database keeps the members of a plan in an order of its own. Pure."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, such as `1,024 messages`. Pure."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _duration(plan: PlanView) -> str:
    if plan.seconds is None:
        return "an unknown time (no run ended in the last 24 h)"
    return f"about {duration_text(plan.seconds)} at the pace of {counted(plan.measured_runs, 'run')} of the last 24 h"
