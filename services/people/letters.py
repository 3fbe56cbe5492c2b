"""Notifies people of what needs them: searches the installation, plans letters, and sends the letters that are due.

A letter is planned in the transaction that records it in its notice, and sent afterwards. So a killed process leaves
letters that the next call sends, and no second letter about the same thing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from adapters.peers import people
from adapters.platform.cancellation import clock
from adapters.settings.settings import settings
from adapters.tables.people import notices
from domain.people.letters import Places, trial_text, words
from domain.people.notices import Word, looked_at, next_attempt, opened, settled, told, word_due
from models.errors import CellarError
from models.people import AddressTest, LetterRow, Notice, PeopleTest
from services.people.sightings import Known, Look, look

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


def _after_look(known: Known, found: Look, now: datetime) -> Iterator[tuple[Notice | None, Notice]]:
    """Yield each notice as it was before the look, None for a new one, and as it is after it."""
    seen = {(each.kind, each.key): each for each in found.sightings}
    for key, before in known.items():
        yield before, looked_at(before, seen.get(key), now) if before.kind in found.kinds else settled(before, now)
    for key in seen.keys() - known.keys():
        if seen[key].count:
            yield None, opened(seen[key], uuid4().hex)


def letters_about(notice: Notice, word: Word, now: datetime) -> list[LetterRow]:
    """Return the next letter about a notice to each address."""
    said = words(notice, word, Places(settings().receiver_url, settings().prefect_ui_url), now)
    letter: dict[str, Any] = {
        "notice_id": notice.notice_id,
        "number": notice.told_times + 1,
        "planned_at": now,
        "next_at": now,
    }
    addresses = sorted(set(map(people.masked, settings().people_urls)))
    return [LetterRow(address=each, title=said.title, text=said.text, **letter) for each in addresses]


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
