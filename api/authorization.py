"""Checks secrets of senders and tokens of readers, counts and logs requests without them, and limits wrong tokens.

A flood must not fill the disk. Nobody locks out anybody elsewhere, nor a token that was right before, nor a person who
is signed in. A request without a token counts nothing. An address that has sent too many wrong tokens learns
only when to come back. An address is an IPv4 address, or a /64 of IPv6; `api/receiver/admission.py` says how it is
known.
"""

import asyncio
import base64
import hashlib
import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import structlog
from fastapi.security import HTTPBearer
from limits import RateLimitItem, parse, parse_many
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request

from adapters.observation.metrics import UNAUTHORISED_REQUESTS
from adapters.tables.people import logins
from models.access import Caller
from models.errors import Code, Refused, Transient
from services.access import tokens

log = structlog.get_logger()

TOO_MANY_WRONG_TOKENS = "TOO_MANY_WRONG_TOKENS"
_LIMITS = parse_many("200/day; 60/hour; 20/minute")
"""How many wrong tokens of an address are answered as such. Going on costs ever longer pauses."""
_COMPARED = parse("50/minute")
"""How many wrong tokens and links of an address are compared at all: at most 100 in any 60 seconds."""
_MOST_COUNTS = 3000
_MOST_RIGHT = 1000
_EXCHANGE_S = 1.0
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="wrong-tokens")  # a hanging database holds no thread of asyncio
_WINDOW_S = 60.0
_MOST_CLIENTS = 50
_FURTHER = "further addresses"

UNAUTHORIZED: Code = "UNAUTHORIZED"
ADDRESS_NOT_ALLOWED: Code = "ADDRESS_NOT_ALLOWED"
_ONE = "One of `CELLAR_WEBHOOK_SECRETS`, or of the secrets of the source that the URL names, or a token"
SENDERS_SECRET: dict[str, dict[str, Any]] = {
    "secretAsBearer": {"type": "http", "scheme": "bearer", "description": f"{_ONE}."},
    "secretAsPassword": {
        "type": "http",
        "scheme": "basic",
        "description": f"{_ONE} as the password, with any user name.",
    },
    "secretAlone": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": f"{_ONE}, without a scheme.",
    },
    "secretInHeader": {"type": "apiKey", "in": "header", "name": "X-Cellar-Secret", "description": f"{_ONE}."},
    "token": {
        "type": "oauth2",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}},
        "description": "A token of `POST /oauth/token`, with or without the word Bearer.",
    },
}
"""The ways to present the sender's secret, of which a request needs one, as security schemes of OpenAPI."""
SECRET_HEADERS = tuple(scheme["name"] for scheme in SENDERS_SECRET.values() if scheme["type"] == "apiKey")
"""The headers in which a secret may stand alone: `Authorization` first."""


def presented_secrets(headers: Headers) -> list[str]:
    """Return what a request presents as its secret. Some may be empty.

    It may stand alone in a header, or in `Authorization` with `Bearer` or as the password of Basic: which of these
    Cellosign sends depends on how its webhook is set up.
    """
    presented = [headers.get(each, "").strip() for each in SECRET_HEADERS]
    scheme, _, rest = presented[0].partition(" ")
    if scheme.lower() == "bearer":
        presented.append(rest.strip())
    elif basic := basic_of(headers):
        presented.append(basic[1])
    return presented


API_TOKEN = HTTPBearer(
    auto_error=False, scheme_name="apiToken", description="One of `CELLAR_API_TOKENS`, or of `cellar tokens`."
)
"""The way to present an API token, for OpenAPI. `api/gate.py` has checked the token before any route."""


async def reader_of(request: Request) -> Caller:
    """Return who presents the API token of a request. Raises Refused if the token is missing or wrong."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    caller = await caller_with(request, presented.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        detail = "expected Authorization: Bearer and a token of CELLAR_API_TOKENS or of `cellar tokens`"
        raise Refused(UNAUTHORIZED, detail, where="Authorization", status=401)
    return caller


async def caller_with(request: Request, token: str) -> Caller | None:
    """Return who presents a token, None if it is no token. The store is asked once more for an unknown token."""
    unauthorized, address = request.app.state.unauthorized, address_of(request)
    if not (token and unauthorized.may_try(address, token)):
        return None
    caller = tokens.caller_of(token, address)
    if caller is None:
        await request.app.state.tokens.read_in_time()
        caller = tokens.caller_of(token, address)
    if caller:
        unauthorized.keep_right(address, token)
    return caller


def address_of(request: HTTPConnection) -> str:
    """Return the address of a client, as `api/receiver/admission.py` says; empty if it is not known."""
    return request.client.host if request.client else ""


def basic_of(headers: Headers) -> tuple[str, str] | None:
    """Return the name and the password of Basic; None if a request presents none."""
    scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, not ASCII, or not UTF-8
        return None
    return name, password


@dataclass(slots=True)
class Unauthorized:
    """The requests of this process that were refused for their secret or token, by client since the last summary.

    Logs the first request of a client in a minute, and after the minute how many came. Clients beyond the fiftieth
    share one summary.
    """

    _by_client: Counter[tuple[str, str, Code]] = field(default_factory=Counter)
    _end: asyncio.TimerHandle | None = None
    _counts: MemoryStorage = field(default_factory=MemoryStorage)
    _new: Counter[str] = field(default_factory=Counter)
    """Wrong tokens that the other receivers do not know of yet, by their key in `_counts`."""
    _exchanging: asyncio.Task[None] | None = None
    _right: dict[str, None] = field(default_factory=dict)
    """Digests of tokens and links that were right."""

    def may_try(self, address: str, secret: str) -> bool:
        """Return whether a token or a link is compared: it was right before, or few of the address were compared.

        A secret is counted before it is compared, so that no more are compared when many come at once.
        """
        if _digest(secret) in self._right:
            return True
        network = self._network(address)
        is_compared = FixedWindowRateLimiter(self._counts).hit(_COMPARED, network)
        self._new[_COMPARED.key_for(network)] += is_compared
        return is_compared

    def keep_right(self, address: str, secret: str) -> None:
        """Remember a secret that was right, and count it no longer. A flood of them takes no memory."""
        if (digest := _digest(secret)) not in self._right:
            if len(self._right) >= _MOST_RIGHT:
                self._right.clear()
            self._right[digest] = None
            self._take_back(_COMPARED, self._network(address))

    def _network(self, address: str) -> str:
        return _FURTHER if len(self._counts.storage) >= _MOST_COUNTS else network_of(address)

    def count(self, address: str, door: str, code: Code = UNAUTHORIZED) -> None:
        """Count a request from the address to a door: webhook, oauth, api or console. Runs in the event loop."""
        UNAUTHORISED_REQUESTS.labels(door).inc()
        client = (address, door, code)
        if client not in self._by_client and len(self._by_client) >= _MOST_CLIENTS:
            client = (_FURTHER, door, code)
        elif client not in self._by_client:
            log.warning("a request without a valid secret or token is refused", client=address, door=door, code=code)
        self._by_client[client] += 1
        if self._end is None:
            self._end = asyncio.get_running_loop().call_later(_WINDOW_S, self.summarise)

    def summarise(self) -> None:
        """Log how many requests came since the last summary, for each client with more than one, and begin anew."""
        message = "requests without a valid secret or token were refused"
        for (address, door, code), requests in self._by_client.items():
            if requests > 1 or address == _FURTHER:
                log.warning(message, client=address, door=door, code=code, requests=requests, within_s=_WINDOW_S)
        self._by_client.clear()
        if self._end:
            self._end.cancel()
            self._end = None

    def guess(self, address: str, browser: str = "") -> int:
        """Count a wrong token, or a password before it is checked. Return for how many seconds such a guess has come
        too often, 0 if it has not.

        A browser in which the user of a name has signed in before counts for itself, else the address. A name counts
        nothing: guesses would lock its user out. What comes too often is not counted: a flood costs no query, and
        makes no pause longer than its span of time.
        """
        limiter, subject = FixedWindowRateLimiter(self._counts), self._subject(address, browser)
        for each in _LIMITS:
            if not limiter.test(each, subject):
                return math.ceil(limiter.get_window_stats(each, subject).reset_time - time.time())
        for each in _LIMITS:
            limiter.hit(each, subject)
            self._new[each.key_for(subject)] += 1
        if self._exchanging is None:
            self._exchanging = asyncio.create_task(self._exchange())
        return 0

    def was_right(self, address: str, browser: str = "") -> None:
        """Take back a guess that `guess` has counted."""
        for each in _LIMITS:
            self._take_back(each, self._subject(address, browser))

    def _take_back(self, limit: RateLimitItem, subject: str) -> None:
        key = limit.key_for(subject)
        self._counts.decr(key)
        self._new[key] -= 1

    def _subject(self, address: str, browser: str) -> str:
        return f"browser {browser}" if browser else self._network(address)

    async def _exchange(self) -> None:
        """Tell the other receivers of the wrong tokens of a second, and learn of theirs: all share the database."""
        await asyncio.sleep(_EXCHANGE_S)
        new, self._new, self._exchanging = self._new, Counter(), None
        ends_s = self._counts.expirations
        added = {key: (new[key], datetime.fromtimestamp(ends_s[key], UTC)) for key in new if key in ends_s}
        try:
            work = asyncio.get_running_loop().run_in_executor(
                _THREAD, logins.add_wrong_tokens, added, datetime.now(UTC)
            )
            totals = await work
        except Transient:  # this receiver counts alone until the next wrong token
            self._new.update(new)  # `+=` would leave out what was taken back
            return
        for key, (number, ends_at) in totals.items():
            self._counts.storage[key] = number + self._new[key]
            self._counts.expirations[key] = ends_at.timestamp()


def _digest(text: str) -> str:
    """Return what stands for a secret."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def ip_of(address: str) -> IPv4Address | IPv6Address | None:
    """Return a client's address; None if it is none, as that of a socket in a file."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(known, "ipv4_mapped", None) or known


def network_of(address: str) -> str:
    """Return what stands for a client: its IPv4 address, or its /64 of IPv6."""
    known = ip_of(address)
    return f"{IPv6Address(int(known) >> 64 << 64)}/64" if isinstance(known, IPv6Address) else str(known or "unknown")
