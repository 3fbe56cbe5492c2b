"""How much is taken in at the same time.

Each body in flight costs memory, a file and its share of the disk. Beyond the bounds a sender is told to come again,
and what is in flight gets through.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.settings import settings
from models.errors import Transient


class Admission:
    """The requests in flight and their bytes: what they have announced, or sent if that is more."""

    def __init__(self) -> None:
        self.requests = 0
        self.size_bytes = 0
        self.admitted = 0
        """Requests since the start."""

    @contextmanager
    def place(self) -> Iterator["Place"]:
        """A place for a request.

        Raises:
            Transient: there is none.
        """
        if self.requests >= settings().max_requests_in_flight:
            raise Transient(f"{self.requests} archives are on their way in; send it again later")
        place = Place(self)
        self.requests += 1
        self.admitted += 1
        try:
            yield place
        finally:
            self.requests -= 1
            self.size_bytes -= place.size_bytes


class Place:
    """What one request takes up."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.size_bytes = 0

    def reserve(self, size_bytes: int) -> None:
        """See that the place has room for a body of that size. One that is alone may have any.

        Raises:
            Transient: there is no room.
        """
        more_bytes = max(0, size_bytes - self.size_bytes)
        in_flight_bytes = self._admission.size_bytes + more_bytes
        if self._admission.requests > 1 and in_flight_bytes > settings().max_bytes_in_flight:
            raise Transient(f"{self._admission.size_bytes} bytes of archives are on their way in; send it again later")
        self._admission.size_bytes += more_bytes
        self.size_bytes += more_bytes
