"""Records of one kind in the store, `FOLDER/NAME.json` each: read whole, held for a time, changed one at a time."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from adapters.files.store import store
from adapters.settings.settings import settings
from models.errors import Conflict, Unreadable

log = structlog.get_logger()
Record = TypeVar("Record", bound=BaseModel)
OnDamaged = Callable[[str], None]
_HELD_FOR_S = 5.0


class Records(Generic[Record]):
    """The records of a folder. `what` names one of them, `name_of` returns its name, which is that of its file."""

    def __init__(self, folder: str, kind: type[Record], what: str, name_of: Callable[[Record], str]) -> None:
        self.folder = folder
        self._kind, self._what, self._name_of = kind, what, name_of
        self._location, self._held, self._until_s = "", dict[str, Record](), 0.0

    def readable(self, on_damaged: OnDamaged = lambda _: None) -> Iterator[Record]:
        """Yield the records. One that is damaged is logged and left out, and `on_damaged` is called with its key."""
        for key, _ in list(store().listed(self.folder)):
            try:
                content = store().found_bytes(key)
                record = None if content is None else self._kind.model_validate_json(content)
                if record and key != self.key_of(self._name_of(record)):
                    raise ValueError("a record has the name of another")
            except (ValueError, Unreadable) as error:
                on_damaged(key)
                text = f"a {self._what} is damaged; restore it from a copy of the store"
                log.error(text, key=key, why=type(error).__name__)
            else:
                if record:
                    yield record

    def key_of(self, name: str) -> str:
        """Return the key of the store under which a record is kept."""
        return f"{self.folder}/{name}.json"

    def all(self, on_damaged: OnDamaged = lambda _: None) -> dict[str, Record]:
        """Read the records, by name, as `readable` does."""
        return {self._name_of(each): each for each in self.readable(on_damaged)}

    def refresh(self, for_s: float = _HELD_FOR_S) -> Mapping[str, Record]:
        """Read the records again, and hold them for a time.

        A record that is damaged now, or gone with a disk that is not mounted, stays as it was held: none is removed.

        Raises Transient if the store does not answer. What is held stays.
        """
        location, before = settings().store_location, self.known()
        self._held = {**before, **self.all()}
        self._location, self._until_s = location, time.monotonic() + for_s
        return self._held

    def known(self) -> Mapping[str, Record]:
        """Return the records as they were read last, without asking the store; none if they were never read."""
        return self._held if self._location == settings().store_location else {}

    def held(self) -> Mapping[str, Record]:
        """Return the records as they were at most 5 s ago; in a receiver, as its loop has read them last."""
        if self._location == settings().store_location and time.monotonic() < self._until_s:
            return self._held
        return self.refresh()

    def find(self, name: str) -> Record | None:
        """Read a record; None if there is none. Raises Conflict if it is damaged."""
        return self._read(store().found_bytes(self.key_of(name)), name)

    def change(self, name: str, changed: Callable[[Record | None], Record]) -> Record:
        """Replace a record by what `changed` makes of it, durably, and return that. None stands for no record.

        Raises Conflict if the record is damaged, or somebody else changes it at the same time.
        """
        key = self.key_of(name)
        before = store().found_bytes(key)
        after = changed(self._read(before, name))
        if not store().replace_bytes(before, after.model_dump_json(indent=1).encode(), key):
            raise Conflict(f"somebody else changes the {self._what} {name} at this moment; repeat the command")
        self.refresh()
        return after

    def _read(self, content: bytes | None, name: str) -> Record | None:
        try:
            return None if content is None else self._kind.model_validate_json(content)
        except ValidationError as error:
            text = f"the record {self.key_of(name)} of the store is damaged; restore it from a copy of the store"
            raise Conflict(text) from error
