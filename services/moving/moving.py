"""Moves an installation. Each step may be killed and done again.

1. The files of store and inbox are brought while the old installation runs. The new places are marked, so nothing
   starts there.
2. Once nothing of the old installation runs, its inbox is marked: no receiver and no worker starts there any more.
3. The last pass brings what has changed since, removes what is gone, copies the rows, and looks into the old inbox once
   more.
4. The old inbox is marked as moved away, then the new inbox as complete.

Rows are copied table by table. A rebuild from the store would take longer, and would lose what the store does not keep:
plans of bulk re-runs and redeliveries, notices to people, dismissed findings.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, select
from sqlmodel import col

from adapters.database import copying
from adapters.database.migration import migrate
from adapters.database.transactions import engine
from adapters.files.move_note import MoveNote, note_at
from adapters.inbox import move_mark
from adapters.peers import receiver
from adapters.platform.durable import held
from adapters.settings.settings import Settings, settings
from models.errors import Conflict
from models.runs.run import Leased, LeaseRow
from models.store.moving import Amount, Mark, Moved, MovePlan, Phase
from services.moving.files import OnBytes, Pair, bring, bring_late, is_whole, remove_surplus
from services.moving.planning import Move, phase_of

_WATCHED_S = 26  # a worker renews its lease every 5 s, and its lease lasts 25 s


@contextmanager
def kept_from_starting(old: Settings) -> Iterator[list[str]]:
    """Yield the names of what runs. While the block goes on, `cellar up` cannot start on the old data folder."""
    with held_up(old.data_dir.absolute()) as is_free:
        yield [*([] if is_free else [f"`cellar up` on {old.data_dir.absolute()}"]), *_receivers(old)]


@contextmanager
def held_up(folder: Path) -> Iterator[bool]:
    """Hold the lock of `cellar up`. A folder that is gone, as on another machine, has none."""
    if not folder.is_dir():
        yield True
        return
    with held(folder / "up.lock") as is_free:
        yield is_free


def _receivers(old: Settings) -> list[str]:
    url = receiver.listens_at(old.host, old.port)
    return [f"the receiver at {url}"] if url else []


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
            _require_whole(pair, note)
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


def _require_whole(pair: Pair, note: MoveNote) -> None:
    if not is_whole(pair, note):
        raise Conflict(f"{pair.name}: the new place has other files than were brought; run the move again")


def _moved(
    move: Move,
    planned: MovePlan,
    note: MoveNote,
    *,
    rows: dict[str, int] | None = None,
    unread: list[str],
    late: int = 0,
) -> Moved:
    amounts = {pair.name: _amount(note, pair.name) for pair in move.pairs}
    return Moved(
        plan=planned,
        is_complete=phase_of(move) is Phase.COMPLETE,
        store=amounts.get("store", Amount()),
        inbox=amounts.get("inbox", Amount()),
        rows=rows or {},
        unread=unread,
        late=late,
    )


def _amount(note: MoveNote, name: str) -> Amount:
    files, size_bytes = note.amount(name)
    return Amount(files=files, size_bytes=size_bytes)


def _put(move: Move, phase: Phase, inbox: str) -> None:
    move_mark.put(inbox, Mark(source=move.source, target=move.target, phase=phase, at=datetime.now(UTC)))
