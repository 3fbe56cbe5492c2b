"""Restores a backup into an empty place, compares it with this installation, and throws it away: a drill.

The restore is the command that a person would run, in a process with an empty data folder and these settings. What came
after the backup began is no difference.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from pydantic import ValidationError
from sqlalchemy import Engine, select
from sqlmodel import col

from adapters.database.connections import connected, engine
from adapters.database.transactions import translated
from adapters.files.store import storage_at
from adapters.platform.durable import held, make_folder
from adapters.platform.processes import command_of_child
from adapters.settings.environment import settings_environment
from adapters.settings.settings import settings
from adapters.store import last_records
from models.errors import Conflict, Transient
from models.runs.receipt import VersionRow
from models.store.backup import LastDrill, Restored

_ELSEWHERE = (
    *("STORE_URL", "INBOX_URL", "DATABASE_URL", "MIGRATION_DATABASE_URL", "SHARE", "WITNESS_URL", "STORE_LOCK_DAYS"),
)
_NOTHING_LISTENS = "9"  # the port of the protocol discard: the receiver of this installation is none of the drill


def drill(location: str, now: datetime) -> LastDrill:
    """Restore the newest backup of a place elsewhere, compare it, and keep the result for status and metrics.

    Raises Conflict while another drill is made here.
    """
    begun = time.monotonic()
    with _home() as home:
        if home is None:
            raise Conflict("another drill is being made here")
        try:
            restored = _restored(location, home)
            made = _compared(restored, home, now).model_copy(update={"took_s": time.monotonic() - begun})
        except Transient as error:
            made = LastDrill(at=now, failure=str(error))
    last_records.keep(made.model_copy(update={"names": []}))
    return made


def remove_killed() -> None:
    """Remove what a killed drill has left: it may have what is erased since."""
    with _home():
        pass


@contextmanager
def _home() -> Iterator[Path | None]:
    """Make an empty folder for a drill, and remove it after the block. None while another drill is made."""
    home = settings().backup_dir / "drill"
    make_folder(home.parent)
    with held(home.with_suffix(".lock")) as is_free:
        if not is_free:
            yield None
            return
        shutil.rmtree(home, ignore_errors=True)
        make_folder(home)
        try:
            yield home
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _restored(location: str, home: Path) -> Restored:
    """Restore into an installation of its own. Raises Transient if the command does not say what it has restored."""
    ours = {f"CELLAR_{each}" for each in _ELSEWHERE}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CELLAR_")}
    environment |= {name: each for name, each in settings_environment(settings()).items() if name not in ours}
    environment |= {"CELLAR_DATA_DIR": str(home / "data"), "CELLAR_PORT": _NOTHING_LISTENS}
    environment |= {"CELLAR_BACKUP_PASSWORD": settings().active_backup_password()}
    command = [sys.executable, "-P", "-m", "cli.main", "restore", "--from", location, "--json"]
    with Popen(  # noqa: S603 -- our own command
        command_of_child(command), cwd=home, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, text=True
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            raise
    try:
        return Restored.model_validate_json(output)
    except ValidationError:
        said = errors.strip().rpartition("\n")[2].removeprefix("cellar: ").partition(" (")[0]  # notes name files
        raise Transient(f"the restore of the drill ended with status {process.returncode}: {said}") from None


def _compared(restored: Restored, home: Path, now: datetime) -> LastDrill:
    """Compare the versions of all archives with those of this installation. The restore has compared their rows."""
    there = connected(f"sqlite:///{home / 'data' / 'cellar.db'}")
    unknown = {receipt_id: reference for reference, receipt_id, _ in _versions(there)}
    there.dispose()
    waits = storage_at(str(home / "data" / "inbox" / "waiting"))
    later, differing = 0, set(restored.wrong)
    for reference, receipt_id, received_at in _versions(engine()):
        if receipt_id in unknown:
            del unknown[receipt_id]
        elif received_at >= restored.at or waits.size(f"{receipt_id}.body") is not None:
            later += 1
        else:
            differing.add(reference)
    names = sorted(differing.union(unknown.values()))
    counts = {"archives": restored.archives, "later": later, "differing": len(names)}
    return LastDrill(at=now, of=restored.at, names=names, **counts)


def _versions(of: Engine) -> Iterator[tuple[str, str, datetime]]:
    """Yield the reference, the receipt and the arrival of each version."""
    its = select(col(VersionRow.reference), col(VersionRow.receipt_id), col(VersionRow.received_at))
    with translated(), of.connect().execution_options(cellar_reading=True, yield_per=1000) as connection:
        yield from connection.execute(its)
