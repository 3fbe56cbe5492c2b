"""Words notices for people: what, how many, since when, what to do next. English, and short enough for a phone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.people.deciding import Word
from domain.runs import age_text, heals_by_rerun, waits_text
from models.people.notice import Notice, NoticeKind

_LONGEST_DETAIL = 240


@dataclass(frozen=True, slots=True)
class Places:
    """Where people look: the base of cellar's own links, and Prefect's UI."""

    cellar: str
    prefect: str


@dataclass(frozen=True, slots=True)
class Text:
    title: str
    text: str


def trial_text(now: datetime) -> Text:
    """Return the words of a test."""
    return Text("cellar: a test", f"A test of {_moment(now)}. cellar reaches you here. Nothing to do.")


def words(notice: Notice, word: Word, places: Places, now: datetime) -> Text:
    """Return title and text of a letter about a notice."""
    if word is Word.OVER:
        title, lines = _over(notice, now)
    else:
        title, lines = _WORDS[notice.kind](notice, places, now)
    return Text(f"cellar: {title}", "\n".join(filter(None, lines)))


def count_text(count: int, one: str, many: str = "") -> str:
    """Return `1 archive` or `1,200 archives`."""
    return f"1 {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def _failed(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    return f"{count_text(notice.count, 'archive has', 'archives have')} failed ({notice.key})", [
        _short(notice.detail),
        _since(notice),
        f"A person is needed: {_first_command(notice.key)}.",
        f"{places.cellar}/console/failed",
    ]


def _first_command(cause: str) -> str:
    then = f", then `cellar rerun --failed --cause {cause}`" if heals_by_rerun(cause) else " says what to do"
    return f"`cellar failures`{then}"


def _run_failed(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    run = "last run" if notice.count == 1 else "last runs"
    return f"{run} of {count_text(notice.count, 'archive')} failed ({notice.key})", [
        _short(notice.detail),
        _since(notice),
        "Complete before, perhaps damaged now: `cellar verify`.",
        f"{places.cellar}/console/archives?condition=RUN_FAILED",
    ]


def _away(notice: Notice, places: Places, now: datetime) -> tuple[str, list[str]]:
    return f"{count_text(notice.count, 'archive waits', 'archives wait')} for {_system(notice.key)}", [
        f"{waits_text(notice.key, notice.count, notice.opened_at, now)}.",
        "Archives go on by themselves once it is back. They are given up after three days.",
        f"`cellar status`, {places.prefect}",
    ]


def _damaged(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    title = f"the store is damaged ({count_text(notice.count, 'finding')})"
    return title, [
        f"Found by the check of {_moment(notice.last_at)}, first by that of {_moment(notice.opened_at)}.",
        "Let Cellosign send damaged archives again while it has them. `cellar verify` names each damaged file, and "
        "ends this once the store is sound.",
        places.prefect,
    ]


def _unverified(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    return "the store could not be checked", [
        f"{count_text(notice.count, 'check')} broke off since {_moment(notice.opened_at)}, the last at "
        f"{_moment(notice.last_at)}.",
        "See the run of `verify-archives` in Prefect, and `cellar doctor`.",
        places.prefect,
    ]


def _refused(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    return f"{count_text(notice.count, 'delivery was', 'deliveries were')} refused", [
        _short(notice.detail),
        _since(notice),
        "The bodies are in quarantine: `cellar quarantine list`. For what needs nobody: `cellar quarantine dismiss "
        "RECEIPT --why WHY`.",
        f"{places.cellar}/console/refused",
    ]


def _refusing(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    return "the receiver turns requests away", [
        f"At least {count_text(notice.count, 'request')}, the last: {_short(notice.detail)}",
        _since(notice),
        "Cellosign deletes what it cannot deliver. Run `cellar doctor`.",
        f"{places.cellar}/readyz",
    ]


def _missing(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    return f"{count_text(notice.count, 'process is', 'processes are')} missing", [
        f"{notice.detail} Source: {notice.key}.",
        "Cellosign deletes them for good. Send them again from Cellosign before that: `cellar missing list`.",
        f"{places.cellar}/console/missing",
    ]


def _failing(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    wait = count_text(notice.count, "message waits", "messages wait")
    return f"endpoint {notice.key} does not confirm", [
        f"Since {_moment(notice.opened_at)}. {wait}, and cellar goes on trying.",
        f"Ask the operator of the endpoint. `cellar endpoints show {notice.key}` shows what is known.",
        f"{places.cellar}/console/endpoints",
    ]


def _disabled(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    return f"endpoint {notice.key} is disabled", [
        f"Since {_moment(notice.opened_at)}: {_short(notice.detail)}. It gets no messages.",
        f"`cellar endpoints enable {notice.key}` once it is well.",
        f"{places.cellar}/console/endpoints",
    ]


def _dead(notice: Notice, places: Places, _now: datetime) -> tuple[str, list[str]]:
    is_given = "is" if notice.count == 1 else "are"
    return f"{count_text(notice.count, 'message')} to {notice.key} {is_given} given up", [
        _since(notice),
        f"Once the endpoint is well: `cellar endpoints redeliver {notice.key}`.",
        f"{places.cellar}/console/endpoints",
    ]


_Words = Callable[[Notice, Places, datetime], tuple[str, list[str]]]
_WORDS: dict[NoticeKind, _Words] = {
    NoticeKind.ARCHIVES_FAILED: _failed,
    NoticeKind.RUNS_FAILED: _run_failed,
    NoticeKind.SYSTEM_AWAY: _away,
    NoticeKind.STORE_DAMAGED: _damaged,
    NoticeKind.STORE_UNVERIFIED: _unverified,
    NoticeKind.DELIVERIES_REFUSED: _refused,
    NoticeKind.RECEIVER_REFUSING: _refusing,
    NoticeKind.PROCESSES_MISSING: _missing,
    NoticeKind.ENDPOINT_FAILING: _failing,
    NoticeKind.ENDPOINT_DISABLED: _disabled,
    NoticeKind.MESSAGES_DEAD: _dead,
}


def _over(notice: Notice, now: datetime) -> tuple[str, list[str]]:
    lasted = f"{_moment(notice.opened_at)} to {_moment(notice.gone_at or now)}"
    title, said = {
        NoticeKind.ARCHIVES_FAILED: (
            f"no archive is failed by {notice.key} any longer",
            f"{count_text(notice.most, 'archive')} had failed.",
        ),
        NoticeKind.RUNS_FAILED: (
            f"no archive's last run is failed any longer ({notice.key})",
            f"{count_text(notice.most, 'archive')} had one.",
        ),
        NoticeKind.SYSTEM_AWAY: (
            f"no archive waits for {_system(notice.key)} any longer",
            f"{count_text(notice.most, 'archive')} waited.",
        ),
        NoticeKind.STORE_DAMAGED: ("the store is sound again", f"{count_text(notice.most, 'finding')} before."),
        NoticeKind.STORE_UNVERIFIED: ("the store can be checked again", ""),
        NoticeKind.DELIVERIES_REFUSED: (
            "no delivery is refused any longer",
            f"{count_text(notice.most, 'delivery', 'deliveries')} in all, the last at {_moment(notice.last_at)}.",
        ),
        NoticeKind.RECEIVER_REFUSING: (
            "the receiver takes requests again",
            f"At least {count_text(notice.most, 'request')} turned away, the last at {_moment(notice.last_at)}.",
        ),
        NoticeKind.PROCESSES_MISSING: (f"no process is missing any longer ({notice.key})", notice.detail),
        NoticeKind.ENDPOINT_FAILING: (
            f"endpoint {notice.key} is no longer failing",
            f"It confirms, or was disabled or removed. Up to {count_text(notice.most, 'message')} waited.",
        ),
        NoticeKind.ENDPOINT_DISABLED: (f"endpoint {notice.key} is enabled again", ""),
        NoticeKind.MESSAGES_DEAD: (
            f"no message to {notice.key} is given up any longer",
            f"{count_text(notice.most, 'message')} had been.",
        ),
    }[notice.kind]
    return title, [f"{lasted}. {said}".strip(), "Nothing to do."]


def counts_text(by_code: Sequence[tuple[str, int]]) -> str:
    """Return codes with their numbers: `TRUNCATED 60, NOT_BASE64 1.`"""
    return ", ".join(f"{code} {count:,}" for code, count in by_code) + "."


def missing_text(deadlines: Sequence[datetime], now: datetime) -> str:
    """Return when missing processes are deleted: `2 within 2 h, 9 within 24 h; the first at … UTC.`

    A wider time that adds no process is left out.
    """
    within: dict[int, int] = {}
    for hours in (2, 12, 24):
        within.setdefault(sum(each - now <= timedelta(hours=hours) for each in deadlines), hours)
    parts = [f"{count:,} within {hours} h" for count, hours in within.items() if count]
    first = min(deadlines)
    return f"To be deleted: {', '.join(parts)}; the first in {age_text(first - now)}, at {_moment(first)}."


def ended_text(archived: int, deleted: int, dismissed: int) -> str:
    """Return what became of missing processes: `5 were archived, 1 was deleted by Cellosign.`"""
    counts = ((archived, "archived"), (deleted, "deleted by Cellosign"), (dismissed, "dismissed by a person"))
    parts = [f"{count:,} {'was' if count == 1 else 'were'} {what}" for count, what in counts if count]
    return ", ".join(parts) + "." if parts else ""


def _since(notice: Notice) -> str:
    if notice.last_at == notice.opened_at:
        return f"At {_moment(notice.opened_at)}."
    return f"Since {_moment(notice.opened_at)}, the last at {_moment(notice.last_at)}."


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _system(name: str) -> str:
    return name if name in ("Prefect", "ClamAV") else f"the {name}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 1]}…"
