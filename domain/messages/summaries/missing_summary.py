"""Makes the Markdown summary of missing processes that people read in Prefect's UI."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.completeness.words import left_text, why_text
from domain.messages.summaries.summary import section
from models.completeness.processes import MissingProcessRow

MOST_SHOWN = 50


def missing_summary(counts: Mapping[tuple[str, str], int], nearest: Sequence[MissingProcessRow], now: datetime) -> str:
    """Return the summary of the open findings: their numbers by source and why, and the nearest deadlines. Pure."""
    in_all = sum(counts.values())
    numbers = [(source, why_text(why), str(count)) for (source, why), count in counts.items()]
    rows = [
        (
            left_text(each.deadline_at, now),
            each.source,
            "" if each.process_number is None else str(each.process_number),
            "" if each.transaction_number is None else str(each.transaction_number),
            each.reference,
            why_text(each.why),
        )
        for each in nearest[:MOST_SHOWN]
    ]
    header = ("left", "source", "process", "transaction", "reference", "why")
    more = f"\n\n{in_all - len(rows)} more: `cellar missing list`." if in_all > len(rows) else ""
    parts = ["# Missing processes", section("By source", ("source", "why", "open"), numbers)]
    return "\n\n".join([*parts, section("Nearest deadlines", header, rows) + more])
