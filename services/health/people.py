"""Checks whether people are told what needs them."""

from adapters.peers.people import masked
from adapters.settings.settings import settings
from adapters.tables.people import notices
from models.views.health import Check, Verdict

_SET = "set CELLAR_PEOPLE_URLS, so that a person hears of failures and deadlines"
_TRY = "run `cellar people test`, and check the address in CELLAR_PEOPLE_URLS"


def people() -> Check:
    """Report addresses that are set and did not take their last letter. Prefect's UI alone shows that too.

    Raises:
        Transient: the database does not answer.
    """
    count = len(settings().people_urls)
    if not count:
        return Check(name="people", verdict=Verdict.OFF, found="no address is set: nobody hears of outages", to_do=_SET)
    newest, addresses = notices.newest_letters(), map(masked, settings().people_urls)
    failed = {each: newest[each] for each in addresses if each in newest and newest[each].failure}
    if failed:
        said = [f"{name} at {each.failed_at:%Y-%m-%d %H:%M} UTC: {each.failure}" for name, each in failed.items()]
        return Check(name="people", verdict=Verdict.WARNING, found="; ".join(said), to_do=_TRY)
    counted = "1 address" if count == 1 else f"{count} addresses"
    return Check(name="people", verdict=Verdict.OK, found=f"{counted}; no letter has failed since its last attempt")
