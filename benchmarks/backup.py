"""`make bench-backup`: what backups and restores cost, and what they cost receiving and processing.

    python -m benchmarks.backup --objects 100000
    python -m benchmarks.backup --objects 5000 --paired 3

Fills a store with archives of `cellar simulate`, makes a backup, adds 1 %, makes another, and restores it elsewhere,
compared file by file and row by row. With `--paired`, each round measures two bursts of an installation: at rest, and
while it makes the first backup of that store to a new place.
"""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, PIPE
from typing import Any

from benchmarks import archives, machine
from benchmarks.engine import set_up_process
from benchmarks.engine_parts import burst
from benchmarks.installations import installation

_COMPARED = ("archive", "version", "receipt", "delivery", "file", "payment", "form_field", "session", "warning")
_NOT_OF_THE_BACKUP = ("last-backup.json", "spool/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--paired", type=int, default=0, help="Rounds of bursts beside a first backup.")
    parser.add_argument("--burst", type=int, default=200)
    given = parser.parse_args()
    with machine.work_folder() as work:
        found = (
            asyncio.run(_paired(work, given, archives.template())) if given.paired else _measured(work, given.objects)
        )
        print(json.dumps({"machine": machine.described(), "archives": given.objects, **found}, indent=1))


def _measured(work: Path, objects: int) -> dict[str, Any]:
    data, place, restored = work / "data", work / "backups", work / "restored"
    place.mkdir()
    _fill(data, objects, 1)
    first, first_s = _timed(data, "backup", "--to", str(place))
    _fill(data, max(1, objects // 100), 2)
    second, second_s = _timed(data, "backup", "--to", str(place))
    (restored / "secrets").mkdir(parents=True, mode=0o700)
    restored.chmod(0o700)
    shutil.copy(data / "secrets" / "backup", restored / "secrets" / "backup")
    found, restored_s = _timed(restored, "restore", "--from", str(place))
    return {
        "megabytes": first["size_bytes"] / 1e6,
        "first backup, s": first_s,
        "second backup with 1 % new, s": second_s,
        "bytes of the second, of the first": second["added_bytes"] / first["added_bytes"],
        "restore, s": restored_s,
        "restored": found,
        "files that differ": len(set(_files(data).items()) ^ set(_files(restored).items())),
        "rows that differ": len(_rows(data) ^ _rows(restored)),
    }


async def _paired(work: Path, given: argparse.Namespace, template: bytes) -> dict[str, Any]:
    """Return the ratios of archives completed a second while a first backup is made, to those at rest."""
    _fill(work / "site" / "data", given.objects, 1)
    ratios = []
    async with installation(work / "site", "cellar", None) as site:
        await burst(site, template, 20)
        for number in range(given.paired):
            place = work / f"backups-{number}"
            place.mkdir()
            rates = {"at rest": (await burst(site, template, given.burst)).runs_per_s}
            backup = await asyncio.create_subprocess_exec(
                *_command("backup", "--to", str(place)), env=_environment(site.settings.data_dir), stdout=DEVNULL
            )
            rates["beside"] = (await burst(site, template, given.burst)).runs_per_s
            is_beside = backup.returncode is None
            await backup.wait()
            print(rates, "" if is_beside else "the backup ended before the burst: take more objects", flush=True)
            ratios.append(rates["beside"] / rates["at rest"])
    return {"ratios": ratios, "median": median(ratios)}


def _fill(data: Path, objects: int, seed: int) -> None:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.verify", "fill", str(objects), "0", "0", str(seed)]
    subprocess.run(command, env=_environment(data), check=True, stdout=DEVNULL)


def _timed(data: Path, *command: str) -> tuple[dict[str, Any], float]:
    begun = time.perf_counter()
    ended = subprocess.run(_command(*command, "--json"), env=_environment(data), check=True, stdout=PIPE)
    return json.loads(ended.stdout), round(time.perf_counter() - begun, 1)


def _command(*command: str) -> Sequence[str]:
    return [sys.executable, "-m", "cli.main", *command]


def _environment(data: Path) -> dict[str, str]:
    ours = {name: each for name, each in os.environ.items() if not name.startswith("CELLAR_")}
    return ours | {"CELLAR_DATA_DIR": str(data)}


def _files(data: Path) -> dict[str, str]:
    """Return the digests of the files of the store."""
    top = data / "store"
    paths = (each for each in top.rglob("*") if each.is_file())
    named = {str(each.relative_to(top)): each for each in paths}
    return {
        name: hashlib.sha256(each.read_bytes()).hexdigest()
        for name, each in named.items()
        if not name.startswith(_NOT_OF_THE_BACKUP)
    }


def _rows(data: Path) -> set[str]:
    """Return the digests of the rows of archives, without the digests of references, which workers add later."""
    found = set()
    with closing(sqlite3.connect(data / "cellar.db")) as connection:
        for name in _COMPARED:
            rows = connection.execute(f"SELECT * FROM {name}")
            names = [each[0] for each in rows.description]
            for row in rows:
                told = {
                    column: None if each == "null" else each  # JSON has two ways to say nothing
                    for column, each in zip(names, row, strict=True)
                    if column != "digest"
                }
                found.add(hashlib.sha256(repr((name, told)).encode()).hexdigest())
    return found


if __name__ == "__main__":
    set_up_process()
    main()
