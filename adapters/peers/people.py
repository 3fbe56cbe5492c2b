"""Sends letters to people by apprise: mail, Slack, Teams, …. Addresses hold secrets and are never repeated."""

import hashlib
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from models.errors import Refused, Transient

_WITHIN_S = 20
_REASONS = (
    (r"error=(\d{3})", "the service answered with status {}"),
    (r"(?i)connection error|socket", "no connection"),
)
_busy: set[str] = set()


def masked(url: str) -> str:
    """Return what may be shown of an address: its scheme, and a digest that tells it from other addresses."""
    scheme = url.partition(":")[0].lower()
    return f"{scheme}:{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def send(url: str, title: str, text: str) -> None:
    """Send a letter to an address, within 20 s.

    Raises:
        Refused: apprise does not understand the address.
        Transient: the service does not take the letter, or hangs.
    """
    address = masked(url)
    if address in _busy:
        raise Transient("an earlier letter to this address still hangs")
    _busy.add(address)
    came_of_it = SimpleQueue[Exception | None]()
    # A daemon: a service that answers byte by byte occupies the thread without end.
    threading.Thread(target=_send, args=(address, url, title, text, came_of_it), daemon=True).start()
    try:
        failure = came_of_it.get(timeout=_WITHIN_S)
    except Empty:
        raise Transient(f"the service hangs: no answer within {_WITHIN_S} s") from None
    if failure:
        raise failure


def _send(address: str, url: str, title: str, text: str, came_of_it: "SimpleQueue[Exception | None]") -> None:
    try:
        came_of_it.put(_failure(url, title, text))
    except Exception as error:  # noqa: BLE001 -- whatever a plugin of apprise raises, its text may repeat the address
        came_of_it.put(Transient(f"apprise fails with {type(error).__name__}"))
    finally:
        _busy.discard(address)


def _failure(url: str, title: str, text: str) -> Exception | None:
    """Send a letter, and return why the service has not taken it."""
    with _heard() as lines:
        import apprise  # noqa: PLC0415 -- slow to import, and the receiver seldom needs it

        service = apprise.Apprise.instantiate(url, asset=apprise.AppriseAsset(app_id="cellar", app_desc="cellar"))
        if service is None:
            return Refused("BAD_ADDRESS", "apprise does not understand the address; check CELLAR_PEOPLE_URLS")
        if service.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
            return None
        return Transient(_reason(lines))


class _Lines(logging.Handler):
    """Keeps the lines that the current thread logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Yield what apprise logs in this thread. It goes nowhere else, since it repeats hosts and answers of services."""
    logger, handler = logging.getLogger("apprise"), _Lines()
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)


def _reason(lines: Sequence[str]) -> str:
    """Return why a letter was not taken, from apprise's log, without a text of the service."""
    for pattern, reason in _REASONS:
        if found := re.search(pattern, "\n".join(lines)):
            return reason.format(*found.groups())
    return "the service has not taken it"
