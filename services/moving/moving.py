"""Plans and makes the move of an installation. Each step may be killed and done again.

1. The files of store and inbox are brought while the old installation runs. The new places are marked, so nothing
   starts there.
2. Once nothing of the old installation runs, its inbox is marked: no receiver and no worker starts there any more.
3. The last pass brings what has changed since, removes what is gone, copies the rows, and looks into the old inbox once
   more.
4. The old inbox is marked as moved away, then the new inbox as complete.

Rows are copied table by table. A rebuild from the store would take longer, since it reads every file, and would lose
what the store does not keep: logins, and what checks have found.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlmodel import col

from adapters.database import copying
from adapters.database.connections import connected, engine
from adapters.database.migration import migrate, revisions
from adapters.files.move_note import MoveNote, note_at
from adapters.files.store import storage_at
from adapters.inbox import move_mark
from adapters.peers import receiver
from adapters.platform.durable import held
from adapters.settings.database_urls import database_place
from adapters.settings.environment import settings_at
from adapters.settings.settings import Settings, settings
from models.errors import Conflict, WrongUse
from models.runs.receipt import Leased, LeaseRow
from models.store.moving import Amount, Mark, Moved, MovePlan, Phase, Places
from services.moving.files import OnBytes, Pair, bring, bring_late, files, is_whole, remove_surplus

_SETTINGS = {"store": "CELLAR_STORE_URL", "inbox": "CELLAR_INBOX_URL", "database": "CELLAR_DATABASE_URL"}
_KEPT_SECRETS = {
    "CELLAR_SEAL_KEYS": "seal",
    "CELLAR_ANCHOR_KEY": "anchor",
    "CELLAR_LINK_SECRET": "link",
    "CELLAR_WEBHOOK_SECRETS": "webhook",
    "CELLAR_API_TOKENS": "api",
}


@dataclass(frozen=True, slots=True)
class Move:
    """A move from the installation `old` to the installation of this process. `pairs` are the storages that move."""

    old: Settings
    source: Places
    target: Places
    database: Engine
    pairs: tuple[Pair, ...]

    @property
    def moves_database(self) -> bool:
        return self.source.database != self.target.database


@contextmanager
def move_from(place: Path) -> Iterator[Move]:
    """Yield the move from the installation of a data folder, or of a file of settings, to this installation.

    Raises WrongUse if there is no installation, or the settings name the same places.
    """
    old = settings_at(place)
    source, target = move_mark.places_of(old), move_mark.places_of(settings())
    if source == target:
        raise WrongUse(f"the settings name the installation of {place} itself: set {', '.join(_SETTINGS.values())}")
    is_file = old.database_location.startswith("sqlite")
    if is_file and not Path(database_place(old.database_location)).is_file():
        raise WrongUse(f"{place} has no installation: its database {source.database} does not exist")
    pairs = (
        Pair(name, storage_at(getattr(source, name)), storage_at(getattr(target, name)))
        for name in ("store", "inbox")
        if getattr(source, name) != getattr(target, name)
    )
    database = connected(old.database_location)
    try:
        yield Move(old, source, target, database, tuple(pairs))
    finally:
        database.dispose()


def plan(move: Move) -> MovePlan:
    """Return what a move has to bring. Nothing is changed.

    Raises:
        WrongUse: the new places are not empty and hold no half of this move, the schemas differ, or a key is missing.
        Conflict: one of the databases is of something else.
    """
    phase = phase_of(move)
    if phase is None:
        _require_empty(move)
    if phase is not Phase.COMPLETE:
        _require_schema(move)
        _require_keys(move.old)
    with kept_from_starting(move.old) as found:
        return MovePlan(
            source=move.source,
            target=move.target,
            phase=phase,
            rows=copying.counts(move.database) if move.moves_database else {},
            running=found,
            settings=_lines(move.old),
            **{pair.name: _amount(pair) for pair in move.pairs},
        )


def phase_of(move: Move) -> Phase | None:
    """Return how far this move is; None if it has not begun.

    Raises WrongUse if another move leads to the new places, or has led away from the old ones.
    """
    marks = [move_mark.find(each) for each in (move.source.inbox, move.target.inbox)]
    ours = [each.phase for each in marks if each and (each.source, each.target) == (move.source, move.target)]
    for each in marks:
        if each and not ours and move.target in (each.source, each.target) and each.phase is not Phase.COMPLETE:
            raise WrongUse(f"another move, from {each.source.store} to {each.target.store}, is not complete")
    # The old inbox has the word: it is closed first, and complete first.
    return ours[0] if ours else None


def _require_empty(move: Move) -> None:
    for pair in move.pairs:
        if next(files(pair.target), None) is not None:
            raise WrongUse(
                f"{pair.target.location('')} is not empty; a move needs new places: let {_SETTINGS[pair.name]} name an "
                "empty folder or prefix"
            )
    if move.moves_database and any(rows_there().values()):
        raise WrongUse(
            f"the database {move.target.database} is not empty; let CELLAR_DATABASE_URL name a new, empty database"
        )


def rows_there() -> dict[str, int]:
    place = settings().database_location
    is_missing = place.startswith("sqlite") and not Path(database_place(place)).exists()
    return {} if is_missing else copying.counts(engine())


def _require_schema(move: Move) -> None:
    found = revisions(move.database)
    if found.database != found.newest:
        raise WrongUse(
            f"the old database has revision {found.database}, this cellar expects {found.newest}: run `cellar migrate` "
            "there first, with the old settings"
        )


def _require_keys(old: Settings) -> None:
    """Check that the new installation has the keys that open sealed values and that sign anchors."""
    lacks = []
    if set(old.known_seal_keys()) - set(settings().known_seal_keys()):
        lacks.append("CELLAR_SEAL_KEYS")
    if _anchor_key(old) and _anchor_key(old) != _anchor_key(settings()):
        lacks.append("CELLAR_ANCHOR_KEY")
    if lacks:
        lines = "; ".join(each for each in _lines(old) if each.startswith(tuple(lacks)))
        raise WrongUse(f"the new installation needs the old installation's keys: {lines or ', '.join(lacks)}")


def _anchor_key(of: Settings) -> str:
    return of.active_anchor_key() if of.anchor_key or of.secret_path("anchor").exists() else ""


def _lines(old: Settings) -> list[str]:
    """Return the settings that every machine of the new installation needs, for a shell. No secret is in them."""
    target = move_mark.places_of(settings())
    lines = [f"CELLAR_STORE_URL={target.store}", f"CELLAR_INBOX_URL={target.inbox}"]
    lines.append(f"CELLAR_DATABASE_URL=…  # {target.database}")
    for variable, name in _KEPT_SECRETS.items():
        if (path := old.secret_path(name)).exists():
            lines.append(f'{variable}="$(cat {path})"')
    return lines


def _amount(pair: Pair) -> Amount:
    sizes = [size_bytes for _, size_bytes in files(pair.source)]
    return Amount(files=len(sizes), size_bytes=sum(sizes))


_WATCHED_S = 26  # a worker renews its lease every 5 s, and its lease lasts 25 s


@contextmanager
def kept_from_starting(old: Settings) -> Iterator[list[str]]:
    """Yield the names of what runs. While the block goes on, `cellar up` cannot start on the old data folder."""
    with held_up(old.data_dir.absolute()) as is_free:
        found = [] if is_free else [f"`cellar up` on {old.data_dir.absolute()}"]
        url = receiver.listens_at(old.host, old.port)
        yield [*found, f"the receiver at {url}"] if url else found


@contextmanager
def held_up(folder: Path) -> Iterator[bool]:
    """Hold the lock of `cellar up`. A folder that is gone, as on another machine, has none."""
    if not folder.is_dir():
        yield True
        return
    with held(folder / "up.lock") as is_free:
        yield is_free


def living_workers(database: Engine) -> list[str]:
    """Return the ids of the workers that renew their leases. If none that has not signed off does, it takes 26 s."""
    before, living = _expiries(database), list[str]()
    for _ in range(_WATCHED_S if before else 0):
        time.sleep(1)
        living = [each for each, expires_at in _expiries(database).items() if expires_at != before.get(each)]
        if living:
            break
    return living


def _expiries(database: Engine) -> dict[str, datetime]:
    its = select(col(LeaseRow.subject), col(LeaseRow.expires_at)).where(col(LeaseRow.kind) == Leased.WORKER)
    with database.connect().execution_options(cellar_reading=True) as connection:
        return {row.subject: row.expires_at for row in connection.execute(its)}


OnRows = Callable[[int], None]


def move_all(move: Move, planned: MovePlan, on_bytes: OnBytes, on_rows: OnRows) -> Moved:
    """Move an installation as far as possible: to its end, or up to the last pass if the old installation runs.

    A complete move brings what has come into the old inbox since.

    Args:
        on_bytes: called with the size of each file that is done, in each pass.
        on_rows: called with the number of rows that are done, twice for each row.

    Raises:
        Conflict: the new places do not hold what was brought.
        Transient: a storage or a database does not answer. Run it again.
    """
    identity = hashlib.sha256(f"{move.source!r} {move.target!r}".encode()).hexdigest()[:16]
    with note_at(settings().data_dir.absolute() / "move" / f"{identity}.db") as note:
        if phase_of(move) is Phase.COMPLETE:
            return _late(move, planned, note)
        if phase_of(move) is None:
            _put(move, Phase.COPYING, move.target.inbox)
        unread: list[str] = []
        if phase_of(move) is Phase.COPYING:
            note.next_pass()
            unread = [each for pair in move.pairs for each in bring(pair, note, on_bytes).unread]
        with kept_from_starting(move.old) as found:
            planned.running = found or living_workers(move.database)
            if planned.running:
                return _moved(move, planned, note, unread=unread)
            return _closed(move, planned, note, on_bytes, on_rows)


def _closed(move: Move, planned: MovePlan, note: MoveNote, on_bytes: OnBytes, on_rows: OnRows) -> Moved:
    """Make the last pass. The old inbox is marked before it is listed: what starts later reads the mark."""
    for inbox in (move.source.inbox, move.target.inbox):
        _put(move, Phase.CLOSED, inbox)
    note.next_pass()
    unread = [each for pair in move.pairs for each in bring(pair, note, on_bytes).unread]
    missed = sum(remove_surplus(pair, note) for pair in move.pairs)
    rows = _rows(move, on_rows)
    missed += sum(bring(pair, note, lambda _: None).new for pair in move.pairs if pair.name == "inbox")
    if not unread and not missed:
        for pair in move.pairs:
            if not is_whole(pair, note):
                raise Conflict(f"{pair.name}: the new place has other files than were brought; run the move again")
        for inbox in (move.source.inbox, move.target.inbox):
            _put(move, Phase.COMPLETE, inbox)
    return _moved(move, planned, note, rows=rows, unread=unread, late=missed)


def _rows(move: Move, on_rows: OnRows) -> dict[str, int]:
    if not move.moves_database:
        return {}
    migrate()
    return copying.copy_rows(move.database, engine(), on_rows)


def _late(move: Move, planned: MovePlan, note: MoveNote) -> Moved:
    """Bring what has come into the old inbox since the move was complete. The new installation may be at work."""
    _put(move, Phase.COMPLETE, move.target.inbox)  # a kill between the two marks leaves the second undone
    late = sum(bring_late(pair, note) for pair in move.pairs if pair.name == "inbox")
    return Moved(plan=planned, is_complete=True, late=late)


def _moved(move: Move, planned: MovePlan, note: MoveNote, **found: Any) -> Moved:
    brought = {pair.name: note.amount(pair.name) for pair in move.pairs}
    amounts = {name: Amount(files=number, size_bytes=size) for name, (number, size) in brought.items()}
    return Moved(plan=planned, is_complete=phase_of(move) is Phase.COMPLETE, **amounts, **found)


def _put(move: Move, phase: Phase, inbox: str) -> None:
    move_mark.put(inbox, Mark(source=move.source, target=move.target, phase=phase, at=datetime.now(UTC)))
