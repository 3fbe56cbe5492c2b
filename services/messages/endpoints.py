"""Adds, changes, removes, shows and tests endpoints. Each change is in the database and, sealed, in the store."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import structlog
from sqlmodel import Session

from adapters.database.transactions import writing
from adapters.peers import downstream
from adapters.peers.addresses import fault_at
from adapters.settings.settings import settings
from adapters.store import kept_endpoints
from adapters.store.kept_endpoints import OnDamaged
from adapters.tables.messages import endpoints, notifications, queues
from domain.messages.bodies import encoded
from domain.messages.endpoints import name_of, shown_url
from domain.messages.signatures import SigningKey, key_of
from models.errors import Conflict, Locked, Refused, Transient
from models.messages.bodies import Test
from models.messages.notification import EndpointKey, EndpointRow, EventType, Signature
from models.said import Sentence, verbatim
from models.views import messages as views
from services.messages.attempts import sealed_headers, told, try_once, with_sealed_values
from services.messages.known import action_of, known_endpoints, sealed_key

log = structlog.get_logger()

_KEY_BYTES = 32


def add(asked: views.NewEndpoint, by: str, now: datetime) -> SigningKey:
    """Add an endpoint and return its signing key, which is not shown again.

    Raises:
        Refused: its name was used before, or its secret is no secret.
        Locked: the key that seals secrets is not available.
    """
    key = _chosen(asked, asked.signature or Signature.HMAC)
    row = EndpointRow(
        **asked.model_dump(include={"name", "url", "events", "sources"}),
        signature=key.signature,
        keys=[sealed_key(asked.name, key, now)],
        headers=with_sealed_values(asked.name, asked.headers),
        created_at=now,
        created_by=by,
        actions=[action_of(by, "added", now)],
    )
    with writing() as session:
        if not endpoints.insert(session, row):
            detail = "an endpoint has or had this name; choose another, since the old messages stay under the name"
            raise Refused("NAME_TAKEN", detail, where="name", status=409)
        kept_endpoints.keep(row)
    log.info("endpoint", endpoint=row.name, what="added")
    return key


def disable(name: str, by: str, now: datetime, why: str | None = None) -> None:
    """Send an endpoint no more messages, and skip those that wait. A disabled endpoint stays as it is.

    Raises:
        Refused: it is unknown.
        Locked: the key that seals secrets is not available.
    """

    def _disable(row: EndpointRow, session: Session) -> bool:
        if row.disabled_at:
            return False
        queues.disable_within(session, row, now, verbatim(why) if why else Sentence.by_a_person())
        return True

    _change(name, by, "disabled", now, _disable)


def enable(name: str, by: str, now: datetime) -> None:
    """Send an endpoint messages again, from the next event on. Raises as `disable` does."""

    def _enable(row: EndpointRow, _session: Session) -> bool:
        if row.disabled_at is None:
            return False
        row.disabled_at = row.disabled_why = row.values = None
        row.failing_since, row.failing_messages, row.paused_until = None, 0, None
        return True

    _change(name, by, "enabled", now, _enable)


def rotate(name: str, asked: views.Rotation, by: str, now: datetime) -> SigningKey:
    """Give an endpoint a new signing key and return it. The old keys sign too for some hours, and are then forgotten.

    Raises:
        Refused: it is unknown, or its new secret is no secret.
        Locked: the key that seals secrets is not available.
    """
    until = now + timedelta(hours=asked.overlap_h)
    made: list[SigningKey] = []

    def _rotate(row: EndpointRow, _session: Session) -> bool:
        key = _chosen(asked, asked.signature or Signature(row.signature))
        old = [each.model_copy(update={"until": min(each.until or until, until)}) for each in row.signing_keys]
        row.keys = [sealed_key(name, key, now), *_dumped(each for each in old if each.signs_at(now))]
        row.signature = key.signature
        made.append(key)
        return True

    _change(name, by, "rotated", now, _rotate)
    return made[-1]


def remove(name: str, by: str, now: datetime) -> None:
    """Remove an endpoint with its secrets, and skip the messages that wait. Its history stays.

    Raises:
        Refused: it is unknown, or `CELLAR_NOTIFY_URLS` would make it again.
        Locked: the key that seals secrets is not available.
    """
    if name in map(name_of, settings().notify_urls):
        detail = "CELLAR_NOTIFY_URLS names it; take its URL out and restart first, or disable it"
        raise Refused("DECLARED_ENDPOINT", detail, status=409)

    def _remove(row: EndpointRow, session: Session) -> bool:
        row.removed_at, row.keys, row.headers, row.url = now, [], None, shown_url(row.url)
        queues.empty_queue(session, name, Sentence.endpoint_removed())
        return True

    _change(name, by, "removed", now, _remove)


def keep_disabled() -> list[str]:
    """Keep in the store, and log, that endpoints were disabled by their answers, and return the names of these.

    A message is sent, and its attempt recorded, without the store. A definition that is damaged or locked stays as it
    is, and `cellar verify` reports it.
    """
    found = []
    for name in [each.name for each in endpoints.known() if each.disabled_at]:
        try:
            with writing() as session:
                row = endpoints.changeable(session, name)
                kept = kept_endpoints.find(name)
                if row is None or row.disabled_at is None or (kept and kept.disabled_at == row.disabled_at):
                    continue
                kept_endpoints.keep(row)
        except Conflict:
            continue
        log.warning("endpoint", endpoint=name, what="disabled", why=row.disabled_why)
        found.append(name)
    return found


def forget_old_keys(now: datetime) -> int:
    """Forget the keys whose overlap is over, and return of how many endpoints. They sign nothing any longer."""
    rotated = [each.name for each in endpoints.known() if not all(key.signs_at(now) for key in each.signing_keys)]

    def _forget(row: EndpointRow, _session: Session) -> bool:
        row.keys = _dumped(each for each in row.signing_keys if each.signs_at(now))
        return True

    forgotten = 0
    for name in rotated:
        try:
            _change(name, "cellar", "old key forgotten", now, _forget)
            forgotten += 1
        except (Refused, Locked) as error:  # it was removed meanwhile, or nothing can be sealed now
            log.warning("old key of an endpoint is kept", endpoint=name, why=str(error))
    return forgotten


def restore_endpoints(on_damaged: OnDamaged) -> int:
    """Restore the endpoints of the store into the database, removed ones too, and return their number.

    A damaged or locked definition is passed to `on_damaged`, and blocks no other.
    """
    kept = list(kept_endpoints.kept(on_damaged))
    endpoints.restore(kept)
    return len(kept)


def get(name: str) -> EndpointRow:
    """Return an endpoint, a removed one too. Raises Refused if it is unknown."""
    found = endpoints.find(name) or next((each for each in known_endpoints() if each.name == name), None)
    if found is None:
        detail = "no endpoint has this name; `cellar endpoints list` names the endpoints"
        raise Refused("UNKNOWN_ENDPOINT", detail, status=404)
    return found


def check_filter(name: str | None) -> None:
    """Check the endpoint that a filter names.

    Raises Refused if there is no such endpoint; the error names the endpoints that there are.
    """
    if name is None:
        return
    names = {each.name for each in [*known_endpoints(), *endpoints.every()]}
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        raise Refused("BAD_PARAMETER", f"no endpoint has this name; known are {known}", where="endpoint", status=404)


def _change(name: str, by: str, what: str, now: datetime, change: Callable[[EndpointRow, Session], bool]) -> None:
    """Change an endpoint that is not removed, and record by whom, if `change` returns that it changed something.

    The store is written before the commit: two changes at once must not keep the older one.
    """
    get(name)
    with writing() as session:
        row = endpoints.changeable(session, name)
        if row is None or row.removed_at:
            raise Refused("UNKNOWN_ENDPOINT", "the endpoint was removed", status=404)
        if not change(row, session):
            return
        row.actions = [*row.actions[1 - queues.MOST_ACTIONS :], action_of(by, what, now)]
        session.flush()
        kept_endpoints.keep(row)
    log.info("endpoint", endpoint=name, what=what)


def _chosen(asked: views.SecretChoice, signature: Signature) -> SigningKey:
    if asked.secret is None:
        return SigningKey(signature, secrets.token_bytes(_KEY_BYTES))
    try:
        key = key_of(asked.secret)
    except ValueError as error:
        raise Refused("BAD_SECRET", str(error), where="secret") from None
    if asked.signature not in (None, key.signature):
        raise Refused("BAD_SECRET", f"the secret is not for {asked.signature}", where="secret")
    return key


def _dumped(keys: Iterable[EndpointKey]) -> list[dict[str, object]]:
    return [each.model_dump(mode="json") for each in keys]


def listed() -> views.EndpointList:
    """Return the endpoints that are not removed, by name."""
    pending, now = notifications.pending_by_endpoint(), datetime.now(UTC)
    return views.EndpointList(items=[_view(each, pending.get(each.name, 0), now) for each in known_endpoints()])


def view(name: str) -> views.EndpointView:
    """Return an endpoint, a removed one too. Raises Refused if it is unknown."""
    return _view(get(name), notifications.pending_by_endpoint().get(name, 0), datetime.now(UTC))


def with_secret(name: str, key: SigningKey, warnings: list[str] | None = None) -> views.AddedEndpoint:
    """Return an endpoint with its new secret. Raises as `view` does."""
    return views.AddedEndpoint(**view(name).model_dump(), secret=key.text, warnings=warnings or [])


def _view(row: EndpointRow, pending: int, now: datetime) -> views.EndpointView:
    return views.EndpointView(
        **row.model_dump(exclude={"url", "headers", "keys"}),
        url=shown_url(row.url),
        state=_state(row, now),
        headers=sorted(sealed_headers(row)),
        keys=[views.KeyView(**each.model_dump(exclude={"sealed"})) for each in row.signing_keys if each.signs_at(now)],
        pending=pending,
    )


def _state(row: EndpointRow, now: datetime) -> str:
    if row.removed_at:
        return "removed"
    if row.disabled_at:
        return "disabled"
    if row.paused_until and now < row.paused_until:
        return "paused"
    return "failing" if row.failing_since else "active"


async def warnings_at(url: str) -> list[str]:
    """Return what may go wrong at the address of an endpoint. No message is sent.

    Raises Refused if it is no URL, or its address is private and private addresses are not allowed.
    """
    try:
        addresses = await downstream.public_addresses(url)
    except Transient as error:
        return [str(error)]
    warnings = [] if httpx.URL(url).scheme == "https" else ["messages to http:// are not encrypted on their way"]
    ways: list[str | None] = [*addresses] or [None]
    faults = await asyncio.gather(*(fault_at(url, address) for address in ways))
    if all(faults):
        warnings += dict.fromkeys(f"the endpoint does not answer now: {fault}" for fault in faults)
    return warnings


async def send_test(name: str) -> views.EndpointTest:
    """Send an endpoint a test message now, even if it is disabled, and return what became of it.

    Raises:
        Refused: the endpoint is unknown.
        Locked: the endpoint's keys cannot be opened.
    """
    endpoint = await asyncio.to_thread(get, name)
    if endpoint.removed_at:
        raise Refused("UNKNOWN_ENDPOINT", "the endpoint was removed", status=404)
    message_id = f"msg_{uuid4().hex}"
    body = encoded(EventType.ENDPOINT_TEST, datetime.now(UTC), Test(endpoint=name))
    async with downstream.line() as line:
        made = await try_once(endpoint, message_id, body, line)
    return told(name, message_id, made)
