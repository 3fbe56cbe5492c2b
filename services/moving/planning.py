"""Plans a move: where from, where to, how much, what still runs, and whether the new places may be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from adapters.database import copying
from adapters.database.migration import revisions
from adapters.database.transactions import connected, engine
from adapters.files.store import storage_at
from adapters.inbox import move_mark
from adapters.settings.database_urls import database_place
from adapters.settings.environment import settings_at
from adapters.settings.settings import Settings, settings
from models.errors import WrongUse
from models.store.moving import Amount, MovePlan, Phase, Places
from services.moving import moving
from services.moving.files import Pair, files

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

    Raises:
        WrongUse: there is no installation, or the settings name the same places.
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
    with moving.kept_from_starting(move.old) as found:
        amounts = {pair.name: _amount(pair) for pair in move.pairs}
        return MovePlan(
            source=move.source,
            target=move.target,
            phase=phase,
            store=amounts.get("store", Amount()),
            inbox=amounts.get("inbox", Amount()),
            rows=copying.counts(move.database) if move.moves_database else {},
            running=found,
            settings=_lines(move.old),
        )


def phase_of(move: Move) -> Phase | None:
    """Return how far this move is; None if it has not begun.

    Raises:
        WrongUse: another move leads to the new places, or has led away from the old ones.
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
    if move.moves_database and any(_rows_there().values()):
        raise WrongUse(
            f"the database {move.target.database} is not empty; let CELLAR_DATABASE_URL name a new, empty database"
        )


def _rows_there() -> dict[str, int]:
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
