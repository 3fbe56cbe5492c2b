"""Words open conditions, a line for those that are alike. `cellar status` and letters to people have the same lines."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from domain.completeness.missing import left_text
from domain.runs import waits_text
from domain.words.catalogue import MEANINGS
from models.store.condition import OF_COMPARISONS, ConditionCode, DerivedCode, Subject
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
    DerivedCode.RETENTION_DUE: "cellar list --due {key}",
}
_SAY_ALL = {ConditionCode.TIME_STAMP_ENDS, DerivedCode.REQUESTS_REFUSED}
"""What has a meaning that says more than a number."""


def alike(groups: Iterable[ConditionGroup]) -> dict[str, list[ConditionGroup]]:
    """Return conditions by code and kind, for a line each. Each system that is away has a line of its own. Pure."""
    found: dict[str, list[ConditionGroup]] = {}
    for each in groups:
        system = each.key if each.code == DerivedCode.SYSTEM_AWAY else ""
        found.setdefault(f"{each.code} {each.kind} {system}", []).append(each)
    return found


def condition_text(groups: Sequence[ConditionGroup], now: datetime) -> str:
    """Return a line such as `FILE_EXTRA: 2 archives; see …` of conditions that are alike. Pure."""
    group = groups[0]
    if group.code == DerivedCode.SYSTEM_AWAY and group.first_at:
        return f"{group.code}: {waits_text(group.key, group.subjects, group.first_at, now)}"
    if group.code in _SAY_ALL:
        return f"{group.code}: {group.key}. {MEANINGS[group.code].what}"
    if group.kind is Subject.STORE and group.code in OF_COMPARISONS:
        return f"{group.code}: {MEANINGS[group.code].what}"
    if group.kind is Subject.STORE:
        return f"{group.code}: {count_text(group.count, 'file')} beside the archives; see `cellar verify`"
    counted = count_text(sum(each.subjects for each in groups), *_NOUNS[group.kind])
    if groups[1:]:
        counted += f": {'; '.join(f'{each.subjects:,} {_about(each, now)}' for each in groups)}"
    elif about := _about(group, now):
        counted += f", {about}"
    by_default = "cellar list --condition {code}" if group.kind is Subject.ARCHIVE else "cellar status"
    shown_by = _SHOWN_BY.get(group.code, by_default).format(code=group.code, key="NAME" if groups[1:] else group.key)
    return f"{group.code}: {counted}; see `{shown_by}`"


def _about(group: ConditionGroup, now: datetime) -> str:
    parts = [f"{group.key} in {task}" if (task := group.values.get("task")) else group.key]
    parts.append(group.values.get("why") or "")
    if deadline_at := group.values.get("deadline_at"):
        parts.append(f"the first with {left_text(deadline_at, now)}")
    if group.code == DerivedCode.ENDPOINT_FAILING:
        parts.append(count_text(group.count, "message waits", "messages wait"))
    return ", ".join(filter(None, parts))


def count_text(count: int, one: str, many: str = "") -> str:
    """Return `1 archive` or `1,200 archives`."""
    return f"1 {one}" if count == 1 else f"{count:,} {many or one + 's'}"
