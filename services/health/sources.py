"""Checks that an enabled source sends something, a disabled source nothing, and each source times of the right zone."""

from adapters.peers import receiver
from adapters.store.beside import sources
from adapters.tables.runs import receipts
from models.errors import System, Transient
from models.views.health import Check, Verdict
from services.health.bounded import Probe
from services.sources import clock_warnings

_NAME = "sources"
_READ = "see whether the store answers, and restore damaged records of `sources/` from a copy of it"
_SILENT = "enter URL and secret in Cellosign (`cellar sources rotate NAME` makes a new secret), or disable the source"
_REFUSED = "change the webhook in Cellosign, or `cellar sources enable NAME`: what it sends is answered with 401"

_DATABASE = "check CELLAR_DATABASE_URL and its server"


def source_probes() -> list[Probe]:
    return [Probe(_NAME, _sources, _READ, needs=(System.STORE, System.DATABASE))]


def clock_probes() -> list[Probe]:
    return [Probe("time zones", _time_zones, _DATABASE, needs=(System.DATABASE, System.STORE))]


def _sources() -> Check:
    """Report sources without any delivery, and disabled sources whose senders go on."""
    known = sources.refresh()
    if not known:
        return Check(name=_NAME, verdict=Verdict.OFF, found="no source besides the URL without a name")
    disabled = {name for name, each in known.items() if each.disabled_at}
    refused = _refused() if disabled else {}
    still = sorted(name for name in disabled if refused.get(name))
    if still:
        found = ", ".join(f"{name} is disabled and was refused {refused[name]} times" for name in still)
        return Check(name=_NAME, verdict=Verdict.WARNING, found=found, to_do=_REFUSED)
    silent = sorted(known.keys() - disabled - receipts.last_deliveries().keys())
    if silent:
        found = f"nothing has come from {', '.join(silent)}"
        return Check(name=_NAME, verdict=Verdict.WARNING, found=found, to_do=_SILENT)
    return Check(name=_NAME, verdict=Verdict.OK, found=_count_text(len(known), len(disabled)))


def _time_zones() -> Check:
    warnings = clock_warnings()
    if not warnings:
        return Check(name="time zones", verdict=Verdict.OK, found="no source states times of another zone")
    found, to_do = ("; ".join(each) for each in zip(*((w.found, w.to_do) for w in warnings), strict=True))
    return Check(name="time zones", verdict=Verdict.WARNING, found=found, to_do=to_do)


def _count_text(known: int, disabled: int) -> str:
    sources = "1 source has" if known == 1 else f"{known} sources have"
    return f"{sources} a URL of {'its' if known == 1 else 'their'} own{f', {disabled} disabled' if disabled else ''}"


def _refused() -> dict[str, int]:
    """Return how often the receiver refused each source since its start; nothing while it does not answer."""
    try:
        return receiver.unauthorised_by_source()
    except Transient:  # the check of the receiver reports it
        return {}
