"""Tells people what needs them: each address the open conditions that are new to it, have grown, or are over.

What an address was told is kept when it has taken its letter. So a killed process costs no letter, and only a letter
that was on its way then may come twice.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.peers import people
from adapters.settings.settings import settings
from adapters.tables.open_conditions import open_conditions
from adapters.tables.people import addresses
from domain.people.letters import Letter, letter_due, trial, troubles
from models.errors import CellarError
from models.people import AddressTest, PeopleTest, Trouble

_CLAIMED_FOR = timedelta(minutes=2)  # a letter takes 20 s at most
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a letter: the masked address, its title, and why it was not taken; empty if it was."""

    address: str
    title: str
    failure: str


def tell(now: datetime) -> list[Sent]:
    """Tell each address what it has to hear now. An address that hangs delays no other address.

    Without addresses nothing happens: people are told of what is wrong when the first is set.
    """
    urls = {people.masked(url): url for url in settings().people_urls}
    if not urls:
        return []
    found = troubles(open_conditions(), now)
    with ThreadPoolExecutor(len(urls)) as threads:
        sent = threads.map(lambda address: _tell(address, urls[address], found, now), urls)
        return [each for each in sent if each]


def _tell(address: str, url: str, found: Mapping[str, Trouble], now: datetime) -> Sent | None:
    """Tell an address; after a failure again, as long after it as it has failed, from two minutes to an hour."""
    known = addresses.known(address, now)
    told = {name: Trouble.model_validate(each) for name, each in known.told.items()}
    letter = letter_due(told, known.told_at, found, now, f"{settings().receiver_url}/console/")
    if letter is None or now < known.next_at or not addresses.claim(known, now + _CLAIMED_FOR):
        return None
    failure = _failure(url, letter)
    if failure:
        since = known.failing_since or now
        pause = min(max(now - since, _CLAIMED_FOR), _LONGEST_PAUSE)
        addresses.keep(address, failure=failure, failing_since=since, next_at=now + pause)
    else:
        said = {name: each.model_dump(mode="json") for name, each in found.items()}
        addresses.keep(address, told=said, told_at=now, failure=None, failing_since=None)
    return Sent(address, letter.title, failure)


def _failure(url: str, letter: Letter) -> str:
    """Send a letter, and return why it was not taken; empty if it was."""
    try:
        people.send(url, letter.title, letter.text)
    except CellarError as error:
        return str(error)
    return ""


def try_people(now: datetime) -> PeopleTest:
    """Send a test to each address, and return whether each was taken. Neither is kept in the database."""
    urls = settings().people_urls
    with ThreadPoolExecutor(max(len(urls), 1)) as threads:
        failures = threads.map(lambda url: (url, _failure(url, trial(now))), urls)
    tests = [AddressTest(address=people.masked(url), is_taken=not why, why=why) for url, why in failures]
    return PeopleTest(is_well=bool(tests) and all(each.is_taken for each in tests), addresses=tests)
