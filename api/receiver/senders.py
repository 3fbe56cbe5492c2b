"""Knows the sources and their secrets, in memory: no request of a sender waits for the store. Decides who may send.

A receiver that has read no sources yet asks named sources to send again later; the source `default` has its secrets in
the settings.
"""

import base64
import hmac
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_network

from fastapi import Request
from itsdangerous import BadSignature

from adapters.observation.metrics import begin_source
from adapters.settings.digests import digest_of
from adapters.settings.settings import settings
from adapters.store import sources
from api.authorization import ADDRESS_NOT_ALLOWED, SECRET_HEADERS, UNAUTHORIZED, address_of, ip_of, presented_secrets
from api.links import senders_signer
from api.receiver.known import Known, State
from models.errors import Refused, System, Transient
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import Source
from services.access import uses
from services.sources import mark_of, signing_key_of, terms_of

UNKNOWN, FURTHER = "(unknown)", "(further)"
"""The labels of names that are no source, and of sources beyond the hundredth: labels have few values, however many
names somebody tries. No source can have such a name.
"""
_MOST_LABELS = 100
_NO_SECRET = ("0" * 64,)
TOKEN_LASTS_S = 3600


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
        header = terms_of(source).signature
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
        _check_address(address_of(request), terms_of(source).addresses)
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
    ip = ip_of(address)
    if networks and not (ip and any(ip in ip_network(each) for each in networks)):
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
