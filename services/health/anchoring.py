"""Checks whether the store is anchored: the last anchor, the key that signs, the witness."""

from datetime import UTC, datetime, timedelta

from adapters.anchors.witness import last_anchor, require_place, witness
from adapters.settings.settings import settings
from models.errors import System
from models.views.health import Check, Verdict
from services.health.bounded import Probe

_OLD = timedelta(days=2)
_ANCHOR = "run `cellar anchor`, and see the runs of `anchor-archives` in Prefect's UI"
_WITNESS = "check that the folder or bucket of CELLAR_WITNESS_URL is there and may be written; anchors go on"
_KEY = "restore the file from a backup, or set CELLAR_ANCHOR_KEY"


def anchor_probes() -> list[Probe]:
    return [
        Probe("last anchor", _last_anchor, _ANCHOR, needs=(System.STORE,)),
        Probe("anchor key", _key, _KEY, needs=(System.STORE,)),
        Probe("witness", _witness, _WITNESS),
    ]


def _last_anchor() -> Check:
    found = last_anchor()
    if found is None:
        return Check(
            name="last anchor", verdict=Verdict.OFF, found="no anchor yet; `anchor-archives` makes one each day"
        )
    text = f"anchor {found.number} of {found.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if found.lacks or datetime.now(UTC) - found.at > _OLD:
        text = "; ".join([text, *found.lacks])
        return Check(name="last anchor", verdict=Verdict.WARNING, found=text, to_do=_ANCHOR)
    return Check(name="last anchor", verdict=Verdict.OK, found=text)


def _key() -> Check:
    """Check the key, but generate none: the first anchor does."""
    if not settings().anchor_key and not settings().secret_path("anchor").exists():
        if last_anchor():
            found = f"{settings().secret_path('anchor')} is gone; no anchor is made without it"
            return Check(name="anchor key", verdict=Verdict.WARNING, found=found, to_do=_KEY)
        return Check(name="anchor key", verdict=Verdict.OFF, found="none yet; the first anchor generates it")
    settings().active_anchor_key()
    where = "CELLAR_ANCHOR_KEY" if settings().anchor_key else str(settings().secret_path("anchor"))
    return Check(name="anchor key", verdict=Verdict.OK, found=where)


def _witness() -> Check:
    there = witness()
    if there is None:
        found = "CELLAR_WITNESS_URL is not set: anchors lie in the store alone"
        return Check(name="witness", verdict=Verdict.OFF, found=found)
    require_place(there)
    there.size("anchors/000001/statement")
    return Check(name="witness", verdict=Verdict.OK, found=str(settings().witness_location))
