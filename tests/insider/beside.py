"""Rewrites of files beside the archives, most of which have the names of their digests: session events, settlement
reports, and what people did.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from adapters.settings.settings import settings
from adapters.store import happened, session_events, settlement_reports
from adapters.store.lines import name_of
from domain.completeness.session_events import events_in, lines_of
from tests.insider.objects import digest, put

Rewrite = Callable[[Random], None]
_AMOUNT = re.compile(rb'(?<="amount_minor":)[0-9]+')


def event_moved(chance: Random) -> None:
    """Move the time at which a session event arrived."""
    path = _drawn(chance, session_events.FOLDER, ".jsonl")
    first, *others = [each for each in events_in(path.read_bytes()) if each]
    moved = replace(first, received_at=first.received_at - timedelta(hours=chance.randint(1, 9)))
    _rewrite(path, lines_of([moved, *others]))


def event_of_a_batch(chance: Random) -> None:
    """Remove a session event from its file."""
    path = _drawn(chance, session_events.FOLDER, ".jsonl")
    _rewrite(path, b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


def report_amount(chance: Random) -> None:
    """Change an amount in a settlement report."""
    path = _drawn(chance, settlement_reports.FOLDER, ".json")
    _tell(
        path.stem, _rewrite(path, _AMOUNT.sub(lambda found: b"%d" % (int(found[0]) + 100), path.read_bytes(), count=1))
    )


def action_by(chance: Random) -> None:
    """Change who did something."""
    _said_otherwise(chance, b'"by": "dana"', b'"by": "ruth"')


def explanation(chance: Random) -> None:
    """Change who explained a discrepancy."""
    _said_otherwise(chance, b'"explained", "by": "Dana"', b'"explained", "by": "Ruth"')


def _said_otherwise(chance: Random, said: bytes, now: bytes) -> None:
    """Change what a line of what happened says."""
    paths = (Path(settings().store_location) / happened.FOLDER).rglob("*.jsonl")
    path = chance.choice(sorted(each for each in paths if said in each.read_bytes()))
    _rewrite(path, path.read_bytes().replace(said, now, 1))


def _drawn(chance: Random, folder: str, ending: str) -> Path:
    below = Path(settings().store_location) / folder
    return chance.choice(sorted(below.rglob(f"*{ending}")))


def _rewrite(path: Path, data: bytes) -> str:
    """Write a file under the name of its digest, in place of the file at `path` and of what lies beside it. Return the
    digest.
    """
    name = name_of(data) if path.suffix == ".jsonl" else digest(data)
    for old in path.parent.glob(f"{path.stem}.*"):
        put(old.with_stem(name), data if old == path else old.read_bytes())
        old.unlink()
    return name


def _tell(report_id: str, new_id: str) -> None:
    """Let what happened name a report by its new id."""
    for path in (Path(settings().store_location) / happened.FOLDER).rglob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        told = [each.replace(report_id.encode(), new_id.encode()) for each in lines]
        if told != lines:
            _rewrite(path, b"".join(told))


_OF_REPORTS = {settlement_reports.FOLDER, happened.FOLDER}
BESIDE: Mapping[Rewrite, set[str]] = {
    event_moved: {session_events.FOLDER},
    event_of_a_batch: {session_events.FOLDER},
    report_amount: _OF_REPORTS,
    action_by: {happened.FOLDER},
    explanation: {happened.FOLDER},
}
"""The rewrites, each with the folders that it changes."""
