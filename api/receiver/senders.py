"""Knows the sources and their secrets, in memory: no request of a sender waits for the store.

A receiver that has read no sources yet asks named sources to send again later; the source `default` has its secrets in
the settings.
"""

import hashlib
import hmac
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from starlette.datastructures import Headers

from adapters.observation.metrics import begin_source
from adapters.store import sources
from api.authorization import SECRET_HEADERS, UNAUTHORIZED, is_sender, presented_secrets
from api.receiver.known import Known, State
from models.errors import Refused, System, Transient
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import Source

UNKNOWN, FURTHER = "(unknown)", "(further)"
"""The labels of names that are no source, and of sources beyond the hundredth: labels have few values, however many
names somebody tries. No source can have such a name.
"""
_MOST_LABELS = 100
_NO_SECRET = ("0" * 64,)


class Senders:
    """The sources as this receiver knows them."""

    def __init__(self) -> None:
        self._labels = {DEFAULT_SOURCE}
        self._sources = Known(sources.RECORDS, "sources", self._label)

    @property
    def state(self) -> State:
        """How current the sources are that this receiver knows."""
        return self._sources.state

    async def check(self, headers: Headers, source: str) -> None:
        """Check that a request presents an active secret of a source.

        Raises:
            Refused: the secret is missing or wrong, or the source unknown or disabled. The answer does not say which.
            Transient: the sources were never read, since the store is away; the request has to be sent again.
        """
        if not await self._is_sender(headers, source):
            places = " or ".join(SECRET_HEADERS)
            detail = f"no active secret of this URL in {places}; see CELLAR_WEBHOOK_SECRETS and `cellar sources`"
            raise Refused(UNAUTHORIZED, detail, where="Authorization", status=401)

    def label(self, source: str) -> str:
        """Return the label of a source in a metric or a log."""
        if source in self._labels:
            return source
        return FURTHER if source in sources.RECORDS.known() else UNKNOWN

    def running(self) -> AbstractAsyncContextManager[None]:
        return self._sources.running()

    async def _is_sender(self, headers: Headers, source: str) -> bool:
        if source == DEFAULT_SOURCE:
            return is_sender(headers)
        if _opens(headers, source):
            return True
        await self._sources.read_in_time()
        if self.state == "unknown":
            why = "the store does not answer, so the secrets of sources are not known yet; send it again later"
            raise Transient(why, system=System.STORE)
        return _opens(headers, source)

    def _label(self, known: Mapping[str, Source]) -> None:
        for name in sorted(known.keys() - self._labels)[: _MOST_LABELS - len(self._labels)]:
            self._labels.add(name)
            begin_source(name)


def _opens(headers: Headers, source: str) -> bool:
    """Compare all pairs in constant time. A source without secrets takes as long."""
    found = sources.RECORDS.known().get(source)
    digests = (found.digests_at(datetime.now(UTC)) if found else []) or _NO_SECRET
    presented = [hashlib.sha256(each.encode()).hexdigest() for each in presented_secrets(headers) if each]
    return sum(hmac.compare_digest(each, digest) for each in presented for digest in digests) > 0
