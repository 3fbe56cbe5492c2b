"""Sends messages to downstream systems by HTTP, and says at which stage a message failed.

Addresses are checked at most 5 s before each connection, and the connection goes to an address that was checked. A
connection that is kept for the next message belongs to one endpoint, since its certificate was checked for that
endpoint's name alone.
"""

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.peers.addresses import addresses_of, is_public, tls_context
from adapters.settings.settings import settings
from domain.words.catalogue import word
from models.errors import Refused, Transient
from models.messages.notification import Stage
from models.said import Said, Sentence, verbatim

TIMEOUT_S = 15
MOST_OF_ANSWER = 4096 + 128
"""Bytes of an answer that are read: a little more than is kept, so that a number at its end is recognised."""
_ANSWER_WITHIN_S = 2
_KEPT_S = 5
_STAGES = {
    "connect_tcp": Stage.CONNECT,
    "start_tls": Stage.TLS,
    "send_request_headers": Stage.WRITE,
    "send_request_body": Stage.WRITE,
    "receive_response_headers": Stage.ANSWER,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of an endpoint: its status, the beginning of its body, and its header `Retry-After`."""

    status_code: int
    body: bytes = b""
    retry_after: str | None = None


class Unanswered(Transient):
    """A message got no answer. `stage` says where it failed; the text has no address and nothing of the URL."""

    def __init__(self, stage: Stage, why: Said) -> None:
        super().__init__(f"the endpoint does not answer ({stage}): {word(why)}")
        self.stage = stage
        self.why = why


class Line:
    """Connections to one endpoint, kept for a few seconds between two messages, and its addresses for as long."""

    def __init__(self, direct: httpx.AsyncClient, by_proxy: httpx.AsyncClient) -> None:
        self._direct = direct
        self._by_proxy = by_proxy
        self._checked: tuple[str, list[str], float] = ("", [], -math.inf)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float = TIMEOUT_S) -> Answer:
        """POST a message and return the answer, even of an error. Redirects are not followed.

        Raises:
            Refused: the endpoint is no URL, or its address is private and private addresses are not allowed.
            Unanswered: no answer came in time.
        """
        reached = _Reached()
        try:
            # The client's own time-out applies to each read: an answer that trickles in would never reach it.
            async with asyncio.timeout(timeout_s):
                addresses = await self._addresses(url)
                reached.stage = Stage.CONNECT
                endpoint = httpx.URL(url)
                headers = {"host": endpoint.netloc.decode(), "accept-encoding": "identity", **headers}
                return await self._first_answer(endpoint, addresses, reached, content=body, headers=headers)
        except (httpx.HTTPError, ssl.SSLError, OSError, TimeoutError) as error:
            raise Unanswered(reached.stage, _why(error, timeout_s)) from error

    async def _addresses(self, url: str) -> list[str]:
        known, addresses, checked_s = self._checked
        if known != url or time.monotonic() - checked_s > _KEPT_S:
            addresses = await public_addresses(url)
            self._checked = (url, addresses, time.monotonic())
        return addresses

    async def _first_answer(
        self, endpoint: httpx.URL, addresses: list[str], reached: "_Reached", **request: Any
    ) -> Answer:
        """Return the answer from the first address that accepts: `localhost` may be ::1, where no server listens."""
        request["extensions"] = {"sni_hostname": endpoint.raw_host.decode(), "trace": reached.note}
        if not addresses:
            return await self._answer(self._by_proxy, endpoint, request)
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._answer(self._direct, endpoint.copy_with(host=address), request)
        return await self._answer(self._direct, endpoint.copy_with(host=addresses[-1]), request)

    async def _answer(self, client: httpx.AsyncClient, url: httpx.URL, request: dict[str, Any]) -> Answer:
        async with client.stream("POST", url, **request) as answer:
            body = await _beginning(answer)
            client.cookies.clear()
            return Answer(answer.status_code, body, answer.headers.get("retry-after"))


@asynccontextmanager
async def line(timeout_s: float = TIMEOUT_S) -> AsyncIterator[Line]:
    """Yield connections for the messages to one endpoint. They are closed at the end."""
    limits = httpx.Limits(max_keepalive_connections=8, keepalive_expiry=_KEPT_S)
    # The connection's own time-out ends first: httpcore leaves a socket open that is cancelled during a TLS handshake.
    timeout = httpx.Timeout(timeout_s, connect=timeout_s / 3)
    options: dict[str, Any] = {"timeout": timeout, "verify": tls_context(), "limits": limits, "trust_env": False}
    proxy = settings().outgoing_proxy
    async with httpx.AsyncClient(**options) as direct, httpx.AsyncClient(**options, proxy=proxy) as by_proxy:
        yield Line(direct, by_proxy)


async def public_addresses(url: str) -> list[str]:
    """Return the addresses of the endpoint's host, all of which may be called; none if the outgoing proxy leads there.

    Raises:
        Refused: the endpoint is no URL, or is on loopback or a private network and `CELLAR_NOTIFY_ALLOW_PRIVATE` is
            not set.
        Unanswered: the name does not resolve.
    """
    allows_private = settings().notify_allow_private
    try:
        return await asyncio.to_thread(addresses_of, url, lambda address: allows_private or is_public(address))
    except ValueError as error:
        raise Refused("BAD_ENDPOINT", word(Sentence.bad_url())) from error
    except PermissionError as error:
        raise Refused("PRIVATE_ENDPOINT", word(Sentence.private_address()), status=403) from error
    except OSError as error:
        raise Unanswered(Stage.RESOLVE, Sentence.name_unresolved(error=type(error).__name__)) from error


@dataclass(slots=True)
class _Reached:
    """The stage that a message has reached."""

    stage: Stage = Stage.RESOLVE

    async def note(self, event: str, _info: Mapping[str, Any]) -> None:
        """Note an event of httpcore, such as `connection.connect_tcp.started`."""
        _, name, when = event.split(".", 2)
        if when == "started" and name in _STAGES:
            self.stage = _STAGES[name]


async def _beginning(answer: httpx.Response) -> bytes:
    """Return the beginning of an answer's body. The status counts, whatever becomes of the body."""
    found = b""
    with suppress(httpx.HTTPError, ssl.SSLError, OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            async for piece in answer.aiter_raw():
                found += piece
                if len(found) > MOST_OF_ANSWER:
                    break
    return b"" if answer.headers.get("content-encoding", "identity") != "identity" else found[:MOST_OF_ANSWER]


def _why(error: Exception, timeout_s: float) -> Said:
    """Return what failed, without the addresses that the texts of errors have."""
    if isinstance(error, httpx.ConnectTimeout):
        return Sentence.connection_slow()
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Sentence.nothing_came(seconds=f"{timeout_s:g}")
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Sentence.bad_certificate(fault=cause.verify_message.partition(",")[0])
        if isinstance(cause, ConnectionRefusedError):
            return Sentence.no_listener()
        cause = cause.__cause__ or cause.__context__
    return verbatim(type(error).__name__)
