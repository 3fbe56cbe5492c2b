"""Words open conditions, one a line, with the command that shows more."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from rich.console import Console
from rich.text import Text

from adapters.tables.open_conditions import DerivedCode
from cli.terminal import cell
from domain.completeness.words import left_text
from domain.people.letters import count_text
from domain.runs import waits_text
from models.store.condition import ConditionCode, Subject
from models.views.troubles import ConditionGroup

_NOUNS: Mapping[Subject, tuple[str, str]] = {
    Subject.ARCHIVE: ("archive", ""),
    Subject.SYSTEM: ("run", ""),
    Subject.DELIVERY: ("body", "bodies"),
    Subject.PROCESS: ("process", "processes"),
    Subject.DISCREPANCY: ("discrepancy", "discrepancies"),
    Subject.ENDPOINT: ("endpoint", ""),
    Subject.MESSAGE: ("message", ""),
}
_SHOWN_BY: Mapping[str, str] = {
    DerivedCode.ARCHIVE_FAILED: "cellar failures",
    ConditionCode.RUN_FAILED: "cellar failures",
    DerivedCode.DELIVERY_REFUSED: "cellar quarantine list",
    DerivedCode.DISCREPANCY_OPEN: "cellar discrepancies list",
    DerivedCode.PROCESS_MISSING: "cellar missing list",
    **dict.fromkeys((DerivedCode.ENDPOINT_FAILING, DerivedCode.ENDPOINT_DISABLED), "cellar endpoints show {key}"),
    DerivedCode.MESSAGES_DEAD: "cellar endpoints messages {key}",
}


def print_conditions(terminal: Console, groups: Iterable[ConditionGroup], now: datetime) -> None:
    for each in groups:
        terminal.print(Text(cell(condition_text(each, now))))


def condition_text(group: ConditionGroup, now: datetime) -> str:
    """Return a line such as `FILE_EXTRA: 2 archives; see …`. Pure."""
    if group.code is DerivedCode.SYSTEM_AWAY and group.first_at:
        return f"{group.code}: {waits_text(group.key, group.subjects, group.first_at, now)}"
    if group.kind is Subject.STORE:
        return f"{group.code}: {count_text(group.count, 'file')} beside the archives; see `cellar verify`"
    parts = [f"{group.key} in {task}" if (task := group.values.get("task")) else group.key]
    if deadline_at := group.values.get("deadline_at"):
        parts.append(f"the first with {left_text(deadline_at, now)}")
    if group.code is DerivedCode.ENDPOINT_FAILING:
        parts.append(count_text(group.count, "message waits", "messages wait"))
    counted = ", ".join(filter(None, [count_text(group.subjects, *_NOUNS[group.kind]), *parts]))
    by_default = "cellar list --condition {code}" if group.kind is Subject.ARCHIVE else "cellar doctor"
    shown_by = _SHOWN_BY.get(group.code, by_default).format(code=group.code, key=group.key)
    return f"{group.code}: {counted}; see `{shown_by}`"
