"""The endpoints that there are: `CELLAR_NOTIFY_URLS` makes those of its URLs that are not there yet."""

from datetime import UTC, datetime

import structlog

from adapters.database.transactions import writing
from adapters.settings.settings import settings
from adapters.store import kept_endpoints
from adapters.tables.messages import endpoints
from domain.messages.endpoints import EVENTS_OF_SETTINGS, name_of
from domain.messages.signatures import SigningKey, key_of
from models.errors import Locked
from models.messages.notification import EndpointKey, EndpointRow

log = structlog.get_logger()

KEY = "key"
"""What a sealed signing key is bound to, beside the name of its endpoint."""
_BY = "settings"


def known_endpoints() -> list[EndpointRow]:
    """Return the endpoints that are not removed, disabled ones too, by name. Those of the settings are made first.

    Without the key that seals secrets they have no key of their own yet, and their messages wait.
    """
    known = endpoints.known()
    there = {each.name for each in known if each.keys}
    missing = [url for url in settings().notify_urls if name_of(url) not in there]
    for url in missing:
        _make(url, datetime.now(UTC))
    return endpoints.known() if missing else known


def _make(url: str, now: datetime) -> None:
    """Make the endpoint of a URL of the settings, signed by their secret. One that was removed is made again."""
    name, key = name_of(url), key_of(settings().notify_secret)
    try:
        keys = [sealed_key(name, key, now)]
    except Locked:
        keys = []
    row = EndpointRow(
        name=name,
        url=url,
        signature=key.signature,
        keys=keys,
        events=EVENTS_OF_SETTINGS,
        created_at=now,
        created_by=_BY,
        actions=[action_of(_BY, "added", now)],
    )
    with writing() as session:
        if not endpoints.insert(session, row):
            made, row = row, session.get_one(EndpointRow, name, with_for_update=True)
            if row.keys or not keys:  # another process was first, or there is nothing to add
                return
            row.url, row.keys, row.events, row.removed_at = url, keys, made.events, None
            row.actions = [*row.actions, *made.actions]
            session.flush()
        if keys:
            kept_endpoints.keep(row)
    log.info("endpoint", endpoint=name, what="added")


def sealed_key(name: str, key: SigningKey, now: datetime) -> dict[str, object]:
    """Return a signing key as `EndpointRow.keys` keeps it. Raises as `kept_endpoints.sealed` does."""
    sealed = kept_endpoints.sealed(name, KEY, key.text)
    made = EndpointKey(signature=key.signature, sealed=sealed, public_key=key.public_text, since=now)
    return made.model_dump(mode="json")


def action_of(by: str, what: str, now: datetime) -> dict[str, str]:
    """Return what was done to an endpoint as `EndpointRow.actions` keeps it."""
    return {"at": now.isoformat(), "by": by, "what": what}
