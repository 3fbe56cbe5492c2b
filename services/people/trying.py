"""Tries out whether people can be reached."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from adapters.peers import people
from adapters.settings.settings import settings
from domain.people.words import trial_text
from models.errors import CellarError
from models.views.people import AddressTest, PeopleTest


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
