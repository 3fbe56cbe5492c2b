"""Counts and logs requests without a valid secret or token. A flood of them must not fill the disk."""

import asyncio
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger()

_WINDOW_S = 60.0
_MOST_CLIENTS = 50
_FURTHER = "further addresses"


@dataclass(slots=True)
class Unauthorized:
    """The requests of this process that were refused with 401, in all and by client since the last summary.

    Logs the first request of a client in a minute, and after the minute how many came. Clients beyond the fiftieth
    share one summary.
    """

    requests: int = 0
    _by_client: dict[tuple[str, str], int] = field(default_factory=dict)
    _end: asyncio.TimerHandle | None = None

    def count(self, address: str, door: str) -> None:
        """Count a request from the address to a door: `webhook`, `api` or `console`. Runs in the event loop."""
        self.requests += 1
        client = (address, door)
        is_new = client not in self._by_client
        if is_new and len(self._by_client) >= _MOST_CLIENTS:
            client, is_new = (_FURTHER, door), False
        self._by_client[client] = self._by_client.get(client, 0) + 1
        if is_new:
            log.warning("a request without a valid secret or token is refused", client=address, door=door, status=401)
        if self._end is None:
            self._end = asyncio.get_running_loop().call_later(_WINDOW_S, self.summarise)

    def summarise(self) -> None:
        """Log how many requests came since the last summary, for each client with more than one, and begin anew."""
        message = "requests without a valid secret or token were refused"
        for (address, door), requests in self._by_client.items():
            if requests > 1 or address == _FURTHER:
                log.warning(message, client=address, door=door, status=401, requests=requests, within_s=_WINDOW_S)
        self._by_client.clear()
        if self._end:
            self._end.cancel()
            self._end = None
