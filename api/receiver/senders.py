"""Knows the sources and their secrets, in memory: no request of a sender waits for the store. Decides who may send.

A receiver that has read no sources yet asks named sources to send again later; the source `default` has its secrets in
the settings.
"""

import asyncio
import base64
import hmac
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_network
from typing import Generic, Literal, get_args

import structlog
from fastapi import Request
from itsdangerous import BadSignature

from adapters.observation.metrics import begin_source
from adapters.platform.loops import in_background, supervised
from adapters.settings.digests import digest_of
from adapters.settings.settings import settings
from adapters.store import sources
from adapters.store.records import Record, Records
from api.authorization import ADDRESS_NOT_ALLOWED, SECRET_HEADERS, UNAUTHORIZED, address_of, ip_of, presented_secrets
from api.links import senders_signer
from models.errors import CellarError, Refused, System, Transient
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import Source
from services.access import uses
from services.sources import mark_of, signing_key_of

log = structlog.get_logger()

UNKNOWN, FURTHER = "(unknown)", "(further)"
"""The labels of names that are no source, and of sources beyond the hundredth: labels have few values, however many
names somebody tries. No source can have such a name.
"""
_MOST_LABELS = 100
_NO_SECRET = ("0" * 64,)
TOKEN_LASTS_S = 3600
State = Literal["ok", "kept", "unknown"]
STATES: tuple[State, ...] = get_args(State)
"""How current the known records are, the best first."""
_PAUSE_S = 5.0
_LEAST_PAUSE_S = 0.25
_PATIENCE_S = 2.0


class Known(Generic[Record]):
    """Records of one kind of the store, which a receiver knows in memory: no request waits for the store.

    They are read at the start and every few seconds, and once more when a request presents what is unknown, so that a
    new record works at once. While the store is away, the receiver keeps what it knows. `what` names them; `on_read`
    is called with them after each reading.
    """

    def __init__(
        self, records: Records[Record], what: str, on_read: Callable[[Mapping[str, Record]], None] = lambda _: None
    ) -> None:
        self._records, self._what, self._on_read = records, what, on_read
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=what)  # a hanging store holds no thread of asyncio
        self._next: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._began_s = -math.inf
        self._is_read = False
        self._why_not: str | None = None
        """Why they could not be read the last time."""

    @property
    def state(self) -> State:
        """How current the records are that this receiver knows."""
        if not self._is_read:
            return "unknown"
        return "ok" if self._why_not is None else "kept"

    def running(self) -> AbstractAsyncContextManager[None]:
        return in_background(supervised(f"the reading of the {self._what}", self._refresh_repeatedly))

    async def _refresh_repeatedly(self) -> None:
        while True:
            async with self._one_at_a_time:
                await self._read()
            await asyncio.sleep(_PAUSE_S)

    async def read_in_time(self) -> None:
        """Wait for a reading that begins now or soon, no longer than 2 s in a store that hangs.

        All requests that arrive before it share it: a flood of wrong secrets reads the store four times a second.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._read_soon())
        await asyncio.wait([self._next], timeout=_PATIENCE_S)

    async def _read_soon(self) -> None:
        async with self._one_at_a_time:  # a store that hangs occupies one thread
            await asyncio.sleep(max(0.0, self._began_s + _LEAST_PAUSE_S - time.monotonic()))
            self._next, self._reading = None, self._next
            await self._read()

    async def _read(self) -> None:
        self._began_s = time.monotonic()
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._thread, self._records.refresh, math.inf)
            self._on_read(await reading)
            self._is_read, self._why_not = True, None
        except CellarError as error:
            if self._why_not is None:
                log.warning(
                    f"the {self._what} cannot be read; this receiver goes on with the {self._what} that it knows",
                    why=str(error),
                )
            self._why_not = str(error)


class Senders:
    """The sources as this receiver knows them."""

    def __init__(self) -> None:
        self._labels = {DEFAULT_SOURCE}
        self._sources = Known(sources.RECORDS, "sources", self._label)
        self._mark_of = lru_cache(mark_of)  # each delivery needs one

    @property
    def state(self) -> State:
        """How current the sources are that this receiver knows."""
        return self._sources.state

    async def admit(self, request: Request, source: str) -> AsyncIterator[bytes]:
        """Check that a request presents a secret of a source, or a token of one, and return its body. It ends with
        Refused if it is not signed as the source requires.

        Raises:
            Refused: the secret is missing or wrong, or the source unknown or disabled. The answer does not say which.
                Or the source does not allow the address, or the signature is missing.
            Transient: the sources were never read, since the store is away; the request has to be sent again.
        """
        presented = [each for each in presented_secrets(request.headers) if each]
        await self._check(request, source, presented, tokens=presented)
        header = sources.terms_of(source).signature
        if not header:
            return request.stream()
        keys = [signing_key_of(each).encode() for each in _digests(source)]
        return _signed(request.stream(), header, request.headers.get(header, ""), keys)

    async def token(self, request: Request, source: str, secret: str) -> str:
        """Return a token that is let in as a secret is, for an hour, while that secret is. Raises as `admit` does."""
        return senders_signer().sign(await self._check(request, source, [secret])).decode()

    def label(self, source: str) -> str:
        """Return the label of a source in a metric or a log."""
        if source in self._labels:
            return source
        return FURTHER if source in sources.RECORDS.known() else UNKNOWN

    def running(self) -> AbstractAsyncContextManager[None]:
        return self._sources.running()

    async def _check(self, request: Request, source: str, secrets: Sequence[str], tokens: Sequence[str] = ()) -> str:
        """Return the mark of the secret of a source that is presented, itself or by its token, and count its use."""
        mark = self._found(source, secrets, tokens)
        if mark is None and source != DEFAULT_SOURCE:
            await self._sources.read_in_time()
            if self.state == "unknown":
                why = "the store does not answer, so the secrets of sources are not known yet; send it again later"
                raise Transient(why, system=System.STORE)
            mark = self._found(source, secrets, tokens)
        if mark is None:
            places = " or ".join(SECRET_HEADERS)
            detail = f"no active secret of this URL in {places}; see CELLAR_WEBHOOK_SECRETS and `cellar sources`"
            raise Refused(UNAUTHORIZED, detail, where="Authorization", status=401)
        _check_address(address_of(request), sources.terms_of(source).addresses)
        uses.used("secret", mark, datetime.now(UTC))
        return mark

    def _found(self, source: str, secrets: Sequence[str], tokens: Sequence[str]) -> str | None:
        """Look at all secrets, each in constant time. A source without secrets takes as long."""
        known, presented = _digests(source) or _NO_SECRET, list(map(digest_of, secrets))
        found = [self._mark_of(each) for each in known if _is_one_of(each, presented)]
        if not found and (marks := list(filter(None, map(_mark_in, tokens)))):
            found = [mark for mark in map(self._mark_of, known) if _is_one_of(mark, marks)]
        return found[0] if found else None

    def _label(self, known: Mapping[str, Source]) -> None:
        for name in sorted(known.keys() - self._labels)[: _MOST_LABELS - len(self._labels)]:
            self._labels.add(name)
            begin_source(name)


def _digests(source: str) -> Sequence[str]:
    if source == DEFAULT_SOURCE:
        return _digests_of(settings().active_webhook_secrets())
    known = sources.RECORDS.known().get(source)
    return known.digests_at(datetime.now(UTC)) if known else []


@lru_cache
def _digests_of(secrets: tuple[str, ...]) -> Sequence[str]:
    return list(map(digest_of, secrets))


async def _signed(
    chunks: AsyncIterator[bytes], header: str, signature: str, keys: Iterable[bytes]
) -> AsyncIterator[bytes]:
    """Yield the chunks of a body. Raises Refused at its end unless its signature is by one of the keys."""
    digests = [hmac.new(key, digestmod="sha256") for key in keys]
    if signature:  # else nothing is read
        async for chunk in chunks:
            for each in digests:
                each.update(chunk)
            yield chunk
    presented = signature.strip().removeprefix("sha256=")
    valid = [text for each in digests for text in (each.hexdigest(), base64.b64encode(each.digest()).decode())]
    if not _is_one_of(presented, valid):
        hint = "`cellar sources show NAME --signing-keys` prints the keys"
        detail = f"expected the HMAC-SHA256 of the body in hex or base64; {hint}"
        raise Refused(UNAUTHORIZED, detail, where=header, status=401)


def _check_address(address: str, networks: tuple[str, ...]) -> None:
    if networks and not ((ip := ip_of(address)) and any(ip in ip_network(each) for each in networks)):
        detail = f"the source does not take archives from {address}; `cellar sources set --addresses`"
        raise Refused(ADDRESS_NOT_ALLOWED, detail, where="address", status=403)


def _mark_in(token: str) -> str | None:
    """Return the mark of the secret for which a token was given; None if it is no token, or too old."""
    try:
        return senders_signer().opened(token, timedelta(seconds=TOKEN_LASTS_S)).decode()
    except BadSignature:
        return None


def _is_one_of(text: str, others: Iterable[str]) -> bool:
    """Compare all, each in constant time, so that the time reveals nothing."""
    return sum(hmac.compare_digest(text.encode(), each.encode()) for each in others) > 0
