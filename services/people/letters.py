"""Notifies people of what needs them: searches the installation, plans letters, and sends the letters that are due.

A letter is planned in the transaction that records it in its notice, and sent afterwards. So a killed process leaves
letters that the next call sends, and no second letter about the same thing. What leaves no trace in the database is
reported here: a report costs one statement and never fails its caller.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlmodel import col, func, select

from adapters.database.transactions import read_all
from adapters.peers import people
from adapters.platform.cancellation import clock
from adapters.settings.settings import settings
from adapters.tables.open_conditions import open_conditions
from adapters.tables.people import notices
from domain.people.letters import Places, counts_text, ended_text, missing_text, trial_text, words
from domain.people.notices import MANNERS, Word, looked_at, next_attempt, opened, settled, told, word_due
from models.completeness.processes import Closing, MissingProcessRow
from models.errors import CellarError, System, Transient
from models.people import AddressTest, LetterRow, Notice, NoticeKind, PeopleTest, Sighting
from models.runs.receipt import RefusedRow
from models.said import Said, Sentence, said_of, verbatim
from models.store.condition import OF_CHECKS, ConditionCode, DerivedCode, Severity
from models.views.troubles import ConditionGroup

log = structlog.get_logger()
Known = Mapping[tuple[NoticeKind, str], Notice]
_ALERTED = (timedelta(hours=24), timedelta(hours=12), timedelta(hours=2))
_OF_CODES: Mapping[str, NoticeKind] = {
    DerivedCode.ARCHIVE_FAILED: NoticeKind.ARCHIVES_FAILED,
    ConditionCode.RUN_FAILED: NoticeKind.RUNS_FAILED,
    DerivedCode.SYSTEM_AWAY: NoticeKind.SYSTEM_AWAY,
    **dict.fromkeys(OF_CHECKS, NoticeKind.STORE_DAMAGED),
    DerivedCode.ENDPOINT_FAILING: NoticeKind.ENDPOINT_FAILING,
    DerivedCode.ENDPOINT_DISABLED: NoticeKind.ENDPOINT_DISABLED,
    DerivedCode.MESSAGES_DEAD: NoticeKind.MESSAGES_DEAD,
}
_OF_OTHER_SEARCHES = {DerivedCode.DELIVERY_REFUSED, DerivedCode.PROCESS_MISSING, DerivedCode.DISCREPANCY_OPEN}
_REPORTED = {NoticeKind.STORE_UNVERIFIED, NoticeKind.RECEIVER_REFUSING}
_OF_NO_OUTAGE = {System.ENDPOINT, System.OTHER_RUN}  # endpoints have notices of their own


def look(known: Known, now: datetime) -> list[Sighting]:
    """Return what is wrong now. Notices of the kinds `_REPORTED` are reported elsewhere. `known`: the open notices."""
    return [*_conditions(), *_refusals(known, now), *_missing(known, now)]


def _conditions() -> Iterator[Sighting]:
    """Yield the open conditions. Failures of a cause are one thing whatever their task, and so is all damage."""
    found = defaultdict[tuple[NoticeKind, str], list[ConditionGroup]](list)
    for each in open_conditions():
        is_told = each.code in _OF_CODES or (each.code not in _OF_OTHER_SEARCHES and each.severity is not Severity.INFO)
        if is_told and (each.code != DerivedCode.SYSTEM_AWAY or each.key not in _OF_NO_OUTAGE):
            found[_OF_CODES.get(each.code, NoticeKind.CONDITION), _key(each)].append(each)
    for (kind, key), groups in found.items():
        first_at = min(each.first_at for each in groups if each.first_at)
        last_at = max(each.last_at for each in groups if each.last_at)
        yield Sighting(kind, key, sum(map(_count, groups)), first_at, last_at, _detail(groups[0]))


def _key(group: ConditionGroup) -> str:
    if group.code not in _OF_CODES:
        return f"{group.code} {group.key}".strip()
    if group.code in OF_CHECKS:
        return ""
    task = group.values.get("task") if group.code == ConditionCode.RUN_FAILED else None
    return f"{group.key} in {task}" if task else group.key


def _count(group: ConditionGroup) -> int:
    return group.count if group.code in OF_CHECKS or group.code == DerivedCode.ENDPOINT_FAILING else group.subjects


def _detail(group: ConditionGroup) -> Said | None:
    if kept := group.values.get("why" if group.code == DerivedCode.ENDPOINT_DISABLED else "sentence"):
        return said_of(kept)
    return Sentence.no_reason_kept() if group.code == DerivedCode.ENDPOINT_DISABLED else None


def _refusals(known: Known, now: datetime) -> Iterator[Sighting]:
    """Yield the refused deliveries since the notice began; without a notice, those of the last hours after the last."""
    at, code = col(RefusedRow.received_at), col(RefusedRow.code)
    if notice := known.get((NoticeKind.DELIVERIES_REFUSED, "")):
        new = at >= notice.opened_at
    else:
        quiet_for = MANNERS[NoticeKind.DELIVERIES_REFUSED].quiet_for or timedelta(0)
        new = at > max(now - quiet_for, notices.last_closed(NoticeKind.DELIVERIES_REFUSED, "") or now - quiet_for)
    counted = select(code, func.count(), func.min(at), func.max(at)).where(new).group_by(code)
    rows = read_all(counted.order_by(func.count().desc(), code))
    if rows:
        by_code, firsts, lasts = [(row[0], row[1]) for row in rows], [row[2] for row in rows], [row[3] for row in rows]
        count = sum(each for _, each in by_code)
        yield Sighting(
            NoticeKind.DELIVERIES_REFUSED, "", count, min(firsts), max(lasts), verbatim(counts_text(by_code))
        )


def _missing(known: Known, now: datetime) -> Iterator[Sighting]:
    """Yield, of each source, the processes that Cellosign deletes within 24 hours.

    `level` is the number of alerts that are due for the first of them, `last_at` the time of the newest of all alerts.
    """
    is_open = col(MissingProcessRow.closed_at).is_(None)
    soon = is_open & (col(MissingProcessRow.deadline_at) <= now + _ALERTED[0])
    rows = read_all(select(MissingProcessRow.source, MissingProcessRow.deadline_at).where(soon))
    deadlines: dict[str, list[datetime]] = {}
    for source, deadline_at in rows:
        deadlines.setdefault(source, []).append(deadline_at)
    for source, theirs in deadlines.items():
        alerts = [each - before for each in theirs for before in _ALERTED if each - before <= now]
        first = min(theirs)
        level = sum(first - before <= now for before in _ALERTED)
        said = missing_text(theirs, now)
        yield Sighting(NoticeKind.PROCESSES_MISSING, source, len(theirs), min(alerts), max(alerts), said, level)
    for kind, source in known:
        if kind == NoticeKind.PROCESSES_MISSING and source not in deadlines:
            yield Sighting(NoticeKind.PROCESSES_MISSING, source, 0, now, now, _ended(known[kind, source]))


def _ended(notice: Notice) -> Said | None:
    """Return what became of the processes about which people got a letter."""
    closed_at, deadline_at = col(MissingProcessRow.closed_at), col(MissingProcessRow.deadline_at)
    closed = select(MissingProcessRow.closed_why, closed_at, deadline_at).where(
        MissingProcessRow.source == notice.key, closed_at >= notice.opened_at
    )
    rows = read_all(closed)
    closings = Counter(why for why, at, deadline in rows if at and at >= deadline - _ALERTED[0])
    return ended_text(closings[Closing.ARCHIVED], closings[Closing.DELETED], closings[Closing.DISMISSED])


def report_unverified(now: datetime) -> None:
    """Report that a check of the store broke off."""
    _report(Sighting(NoticeKind.STORE_UNVERIFIED, "", 1, now, now))


def report_verified(now: datetime) -> None:
    """Report that a check of the store has come to its end, whatever it has found."""
    try:
        notices.report_gone(NoticeKind.STORE_UNVERIFIED, now)
    except Transient as error:
        log.warning("people are not told that the store is checked again", why=type(error).__name__)


def report_refusing(by_code: Mapping[str, int], now: datetime) -> None:
    """Report that the receiver has turned requests away since the last report: their number, by code.

    It counts as over after two hours without another report.
    """
    said = verbatim(counts_text(sorted(by_code.items(), key=lambda each: (-each[1], each[0]))))
    _report(Sighting(NoticeKind.RECEIVER_REFUSING, "", sum(by_code.values()), now, now, said))


def _report(seen: Sighting) -> None:
    try:
        notices.report(opened(seen, uuid4().hex))
    except Transient as error:
        log.warning("people are not told of something", kind=seen.kind, why=type(error).__name__)


_CLAIMED_FOR = timedelta(minutes=2)  # a letter takes 20 s at most


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a letter: the masked address, its title, and why it was not taken; None if it was."""

    address: str
    title: str
    failure: str | None


def tell(now: datetime) -> list[Sent]:
    """Look at the installation, plan the letters that are due, and send them, also letters that failed before.

    Without addresses nothing happens: people are told of what is wrong when the first is set.
    """
    if not settings().people_urls:
        return []
    plan(now)
    return send_due(now)


def plan(now: datetime) -> None:
    """Make the notices equal to what is found now, and plan the letters that are due."""
    known = {(each.kind, each.key): each for each in notices.open_notices()}
    for before, after in _after_look(known, look(known, now), now):
        word = word_due(after, now)
        if word:
            notices.keep(before, told(after, now), letters_about(after, word, now))
        elif before != after:
            notices.keep(before, after, [])


def _after_look(known: Known, found: Iterable[Sighting], now: datetime) -> Iterator[tuple[Notice | None, Notice]]:
    """Yield each notice as it was before the look, None for a new one, and as it is after it."""
    seen = {(each.kind, each.key): each for each in found}
    for key, before in known.items():
        yield before, settled(before, now) if before.kind in _REPORTED else looked_at(before, seen.get(key), now)
    for key in seen.keys() - known.keys():
        if seen[key].count:
            yield None, opened(seen[key], uuid4().hex)


def letters_about(notice: Notice, word: Word, now: datetime) -> list[LetterRow]:
    """Return the next letter about a notice to each address."""
    said = words(notice, word, Places(settings().receiver_url, settings().prefect_ui_url), now)
    its: dict[str, Any] = {"notice_id": notice.notice_id, "number": notice.told_times + 1, **asdict(said)}
    addresses = sorted(set(map(people.masked, settings().people_urls)))
    return [LetterRow(address=each, planned_at=now, next_at=now, **its) for each in addresses]


def send_due(now: datetime) -> list[Sent]:
    """Send the letters that are due, and keep what came of each. An address that hangs delays no other address."""
    urls = {people.masked(url): url for url in settings().people_urls}
    due = defaultdict[str, list[LetterRow]](list)
    for letter in notices.due_letters(list(urls), now):
        due[letter.address].append(letter)
    with ThreadPoolExecutor(max(len(due), 1)) as threads:
        sent = threads.map(lambda address: _send_all(urls[address], due[address], now), due)
        return [each for of_address in sent for each in of_address]


def _send_all(url: str, due: Sequence[LetterRow], now: datetime) -> list[Sent]:
    began_s = clock()
    sent = []
    for letter in due:
        at = now + timedelta(seconds=clock() - began_s)
        if notices.claim_letter(letter, at + _CLAIMED_FOR):
            sent.append(_send(url, letter, at))
    return sent


def _send(url: str, letter: LetterRow, now: datetime) -> Sent:
    try:
        people.send(url, letter.title, letter.text)
    except CellarError as error:
        failure = str(error)
        notices.keep_failed(letter, failure, next_attempt(letter.planned_at, letter.attempts + 1, now), now)
        return Sent(letter.address, letter.title, failure)
    notices.keep_sent(letter, now)
    return Sent(letter.address, letter.title, None)


def try_people(now: datetime) -> PeopleTest:
    """Send a test to each address, and return whether each was taken. Neither is kept in the database."""
    urls = settings().people_urls
    with ThreadPoolExecutor(max(len(urls), 1)) as threads:
        tests = list(threads.map(lambda url: _try(url, now), urls))
    return PeopleTest(is_well=bool(tests) and all(each.is_taken for each in tests), addresses=tests)


def _try(url: str, now: datetime) -> AddressTest:
    said = trial_text(now)
    try:
        people.send(url, said.title, said.text)
    except CellarError as error:
        return AddressTest(address=people.masked(url), is_taken=False, why=str(error))
    return AddressTest(address=people.masked(url), is_taken=True)
