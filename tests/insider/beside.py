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


def event_body(chance: Random) -> None:
    """Change when a session event happened, in its body."""
    path = _drawn(chance, session_events.FOLDER, ".jsonl")
    first, *others = [each for each in events_in(path.read_bytes()) if each and each.body]
    body = (first.body or b"").replace(b"T12:", b"T%02d:" % chance.randint(0, 9))
    _rewrite(path, lines_of([replace(first, body=body, receipt_id=digest(body)), *others]))


def event_of_a_batch(chance: Random) -> None:
    """Remove a session event from its file."""
    path = _drawn(chance, session_events.FOLDER, ".jsonl")
    _rewrite(path, b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


def events_removed(chance: Random) -> None:
    _drawn(chance, session_events.FOLDER, ".jsonl").unlink()


def report_amount(chance: Random) -> None:
    """Change an amount in a settlement report."""
    path = _drawn(chance, settlement_reports.FOLDER, ".json")
    _tell(
        path.stem, _rewrite(path, _AMOUNT.sub(lambda found: b"%d" % (int(found[0]) + 100), path.read_bytes(), count=1))
    )


def report_moved(chance: Random) -> None:
    """Move the time at which a settlement report was imported."""
    path = _drawn(chance, settlement_reports.FOLDER, ".imported")
    put(path, path.read_bytes().replace(b"2026-", b"2025-"))


def report_removed(chance: Random) -> None:
    path = _drawn(chance, settlement_reports.FOLDER, ".json")
    path.with_suffix(".imported").unlink()
    path.unlink()
    _tell(path.stem, None)


def action_by(chance: Random) -> None:
    """Change who did something."""
    path = _drawn(chance, happened.FOLDER, ".jsonl")
    _rewrite(path, path.read_bytes().replace(b'"by":"dana"', b'"by":"ruth"', 1))


def action_of_a_file(chance: Random) -> None:
    """Remove what a person did, and leave what the same person did at the same time."""
    path = _drawn(chance, happened.FOLDER, ".jsonl")
    _rewrite(path, b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


def actions_removed(chance: Random) -> None:
    _drawn(chance, happened.FOLDER, ".jsonl").unlink()


def _drawn(chance: Random, folder: str, ending: str) -> Path:
    below = Path(settings().store_location) / folder
    return chance.choice(sorted(path for path in below.rglob(f"*{ending}") if path.parent.name != "discrepancies"))


def _rewrite(path: Path, data: bytes) -> str:
    """Write a file under the name of its digest, in place of the file at `path` and of what lies beside it. Return the
    digest.
    """
    name = name_of(data) if path.suffix == ".jsonl" else digest(data)
    for old in path.parent.glob(f"{path.stem}.*"):
        put(old.with_stem(name), data if old == path else old.read_bytes())
        old.unlink()
    return name


def _tell(report_id: str, new_id: str | None) -> None:
    """Let what happened name a report by its new id, or no longer."""
    for path in (Path(settings().store_location) / happened.FOLDER).rglob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        told = [each for each in lines if new_id or report_id.encode() not in each]
        told = [each.replace(report_id.encode(), (new_id or "").encode()) for each in told]
        if not told:
            path.unlink()
        elif told != lines:
            _rewrite(path, b"".join(told))


_OF_REPORTS = {settlement_reports.FOLDER, happened.FOLDER}
BESIDE: Mapping[Rewrite, set[str]] = {
    event_moved: {session_events.FOLDER},
    event_body: {session_events.FOLDER},
    event_of_a_batch: {session_events.FOLDER},
    events_removed: {session_events.FOLDER},
    report_amount: _OF_REPORTS,
    report_moved: {settlement_reports.FOLDER},
    report_removed: _OF_REPORTS,
    action_by: {happened.FOLDER},
    action_of_a_file: {happened.FOLDER},
    actions_removed: {happened.FOLDER},
}
"""The rewrites, each with the folders that it changes."""
