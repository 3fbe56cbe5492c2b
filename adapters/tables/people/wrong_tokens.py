"""Counts of wrong tokens by network: in the memory of a process, and in the database for all receivers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from limits.storage import Storage
from sqlmodel import col, delete

from adapters.database.transactions import upsert, writing
from models.people.wrong_token import WrongTokensRow


@dataclass(slots=True)
class Count:
    """The wrong tokens of a network in a span of time. `new` are those that the database does not know yet."""

    number: int
    new: int
    ends_at: datetime


def add(counts: Mapping[str, Count], now: datetime) -> dict[str, tuple[int, datetime]]:
    """Add the new wrong tokens of this process to those of all receivers, and return all, by key.

    Removes the counts whose span of time is over.

    Raises:
        Transient: the database does not answer.
    """
    with writing() as session:
        session.execute(delete(WrongTokensRow).where(col(WrongTokensRow.ends_at) <= now))
        rows = [{"key": key, "number": each.new, "ends_at": each.ends_at} for key, each in sorted(counts.items())]
        new = upsert(session, WrongTokensRow).values(rows)
        known = new.on_conflict_do_update(
            index_elements=["key"], set_={"number": col(WrongTokensRow.number) + new.excluded.number}
        )
        found = session.execute(known.returning(WrongTokensRow.key, WrongTokensRow.number, WrongTokensRow.ends_at))
        return {key: (number, ends_at) for key, number, ends_at in found}


class WrongTokens(Storage):
    """The counts as this process knows them, for the library `limits`: a flood costs no request a query."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, Count] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return KeyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        if not self.get(key):
            self.counts[key] = Count(0, 0, datetime.now(UTC) + timedelta(seconds=expiry))
        self.counts[key].number += amount
        self.counts[key].new += amount
        return self.counts[key].number

    def get(self, key: str) -> int:
        count = self.counts.get(key)
        return count.number if count and count.ends_at > datetime.now(UTC) else 0

    def get_expiry(self, key: str) -> float:
        return self.counts[key].ends_at.timestamp()

    def check(self) -> bool:
        return True

    def reset(self) -> None:
        self.counts.clear()

    def clear(self, key: str) -> None:
        self.counts.pop(key, None)

    def take_new(self) -> dict[str, Count]:
        """Return the counts with new wrong tokens, which are new no longer. Forgets the counts that have ended."""
        now = datetime.now(UTC)
        self.counts = {key: each for key, each in self.counts.items() if each.ends_at > now}
        taken = {key: replace(each) for key, each in self.counts.items() if each.new}
        for key in taken:
            self.counts[key].new = 0
        return taken

    def learn(self, totals: Mapping[str, tuple[int, datetime]]) -> None:
        """Take over what all receivers have counted."""
        for key, (number, ends_at) in totals.items():
            new = self.counts[key].new if key in self.counts else 0
            self.counts[key] = Count(number + new, new, ends_at)

    def give_back(self, taken: Mapping[str, Count]) -> None:
        """Count wrong tokens as new again that the database did not take."""
        for key, each in taken.items():
            if key in self.counts:
                self.counts[key].new += each.new
