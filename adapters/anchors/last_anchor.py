"""Keeps what is known of the last anchor: in the store for status and metrics, and on this machine against loss.

The note on this machine lies in the data folder, outside the store: whoever removes or rewrites anchors in the store is
noticed at the next anchor, also without a witness.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from adapters.anchors import anchors
from adapters.anchors.anchors import Anchor
from adapters.files.store import store
from adapters.platform.durable import make_folder, sync_folder, write_file
from adapters.settings.settings import settings
from models.errors import Conflict, Transient

log = structlog.get_logger()
_KEY = "last-anchor.json"


@dataclass(frozen=True, slots=True)
class LastAnchor:
    """The last anchor: when it was made, and what it still lacks, as sentences."""

    number: int
    at: datetime
    root: str
    lacks: tuple[str, ...]


def last_anchor() -> LastAnchor | None:
    """Return the last anchor, None if there was none or its record is unreadable.

    Raises:
        Transient: the store does not answer.
    """
    try:
        record = json.loads(store().found_bytes(_KEY) or b"")
        at = datetime.fromisoformat(record["at"])
        return LastAnchor(int(record["number"]), at, str(record["root"]), tuple(map(str, record["lacks"])))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def keep_last(last: LastAnchor) -> None:
    """Keep the record of the last anchor. The anchor is valid without it."""
    try:
        store().write(json.dumps(asdict(last) | {"at": last.at.isoformat()}).encode(), _KEY)
        store().sync()
    except (Transient, OSError) as error:
        log.warning("the record of the last anchor is not kept for the metrics", why=type(error).__name__)


def note(anchor: Anchor) -> None:
    """Note on this machine that it made an anchor.

    Raises:
        OSError: the disk does not take the note.
    """
    make_folder(_path().parent)
    noted = {"store": settings().store_location, "number": anchor.statement.number, "root": anchor.root}
    write_file(_path(), json.dumps(noted).encode())
    sync_folder(_path().parent)


def check_noted() -> None:
    """Check that the store still has the anchor that this machine made last.

    Raises:
        Conflict: the store lacks that anchor, or has another one of its number.
        Transient: the store does not answer.
    """
    noted = _noted()
    if noted is None or noted["store"] != settings().store_location:
        return
    number = int(noted["number"])
    found = anchors.anchor_at(store(), number, set())
    if found is None or found.root != noted["root"]:
        has = "another anchor of that number" if found else "no such anchor"
        raise Conflict(
            f"this machine made anchor {number}, and the store has {has}: anchors were removed or rewritten. Hold the "
            f"store against {noted['root']} with `cellar verify --against`, and copy the folder anchors/ back from the "
            f"witness. To go on with what the store has, remove {_path()}"
        )


def is_noted(anchor: Anchor) -> bool:
    """Return whether an anchor of the store is the anchor that this machine made last."""
    noted = _noted()
    return noted is not None and (noted["store"], noted["root"]) == (settings().store_location, anchor.root)


def _noted() -> dict[str, Any] | None:
    try:
        noted = json.loads(_path().read_bytes())
        return noted if {"store", "number", "root"} <= noted.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def _path() -> Path:
    return settings().data_dir.absolute() / "last-anchor.json"
