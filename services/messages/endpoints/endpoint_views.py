"""Shows endpoints without their secrets."""

from datetime import UTC, datetime

from adapters.settings.settings import settings
from adapters.tables.messages import endpoints, notifications
from domain.messages.addresses import shown_url
from domain.messages.endpoints import declared_name
from domain.messages.signatures import SigningKey
from models.messages.endpoint import EndpointRow
from models.views.messages.endpoints import AddedEndpoint, EndpointList, EndpointView, KeyView
from services.messages.endpoints.endpoints import get
from services.messages.signing import sealed_headers


def listed() -> EndpointList:
    """Return the endpoints that are not removed, by name. Those that the settings declare are in it before any event.

    Raises:
        Transient: the database does not answer.
    """
    known = {each.name: each for each in endpoints.known()}
    now = datetime.now(UTC)
    for url in settings().notify_urls:  # nothing is written: another machine may have other settings
        name = declared_name(url)
        known.setdefault(name, EndpointRow(name=name, url=url, is_declared=True, created_at=now))
    pending = notifications.pending_by_endpoint()
    return EndpointList(items=[_view(known[name], pending.get(name, 0), now) for name in sorted(known)])


def view(name: str) -> EndpointView:
    """Return an endpoint, a removed one too.

    Raises:
        Refused: it is unknown.
        Transient: the database does not answer.
    """
    return _view(get(name), notifications.pending_by_endpoint().get(name, 0), datetime.now(UTC))


def with_secret(name: str, key: SigningKey, warnings: list[str] | None = None) -> AddedEndpoint:
    """Return an endpoint with its new secret. Raises as `view` does."""
    return AddedEndpoint(**view(name).model_dump(), secret=key.text, warnings=warnings or [])


def _view(row: EndpointRow, pending: int, now: datetime) -> EndpointView:
    return EndpointView(
        **row.model_dump(exclude={"url", "headers", "keys", "is_declared"}),
        url=shown_url(row.url),
        declared=row.is_declared,
        state=_state(row, now),
        headers=sorted(sealed_headers(row)),
        keys=[KeyView(**each.model_dump(exclude={"sealed"})) for each in row.signing_keys if each.signs_at(now)],
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
