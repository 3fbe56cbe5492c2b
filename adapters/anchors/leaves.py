"""Reads what an anchor says of the objects of the store, and of the files beside them.

The store is read, not the database: an anchor says what the store held. For a million objects every call counts, so
inventories and histories are read here without their models.

Run as a program, it reads a share of a folder's leaves: `python -m adapters.anchors.leaves FOLDER NUMBER OF`. Of the
objects' first tuples it reads each OF-th, beginning with the NUMBER-th. For each tuple it writes a line with the number
of bytes, and then a line for each object: the text of its leaf, or `!` and the key of a damaged object.
"""

import gc
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from adapters.files.folder import Folder
from adapters.files.storage import LocalFolder, Storage
from adapters.store.ocfl import DELIVERIES, INVENTORY, LOGS, ROOT
from domain.anchors import (
    fact_of_content,
    fact_of_delivery,
    fact_of_file,
    fact_of_judgement,
    facts_of_receipt,
    leaf_text,
)
from models.errors import Conflict, System, Transient
from models.said import Sentence
from models.store.anchor import Leaf

BESIDE = "settlements"
_BY_DAY, _LINKS = ("access-log", "events", "happened"), "links"
_NAMED = re.compile(rf"{_LINKS}|(?:{'|'.join(_BY_DAY)})/[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}")
"""Folders whose files are written once and named by what they hold: revoked links, and each day of the others."""
_IMPORTED = ".imported"
_WRITTEN_ONCE = re.compile(rf"{BESIDE}/[0-9a-f]{{64}}\.(json|imported)")
_OF_A_RECEIPT = re.compile(rf"{LOGS}/history/[0-9a-f]{{64}}\.json")
_DELIVERED = re.compile(rf"{LOGS}/{DELIVERIES}/([0-9a-f]{{64}})/receipt\.json")
_JUDGEMENT = re.compile(rf"{LOGS}/verdicts/.+")
_TUPLES = 3
_TUPLE = re.compile(r"[0-9a-f]{3}")

DAMAGED = b"!"

Found = tuple[str, list[str]]
"""An object: its key, and the paths in it of the files of its logs."""


def objects_in_folder(folder: LocalFolder, tuples: Iterable[str]) -> Iterator[Found]:
    """Yield the objects of a folder whose keys begin with one of the tuples, in order of their keys.

    It visits the tuples and the logs of each object only: most files of an object are contents.
    """
    start = len(str(folder.path)) + 1
    try:
        for first in tuples:
            for path in _below(f"{folder.path}/{ROOT}/{first}", _TUPLES - 1):
                yield path[start:], list(_files(f"{path}/{LOGS}", len(path) + 1))
    except OSError as error:
        raise _transient(error) from error


def tuples_of(folder: LocalFolder) -> list[str]:
    """Return the first tuples of the keys of all objects in a folder, in order."""
    try:
        return sorted(filter(_TUPLE.fullmatch, _names(f"{folder.path}/{ROOT}")))
    except OSError as error:
        raise _transient(error) from error


def objects_in_bucket(bucket: Storage) -> Iterator[Found]:
    """Yield the objects of a bucket in order of their keys, from one listing of all files."""
    depth = _TUPLES + 2
    paths = (path.split("/", depth) for path, _ in bucket.listed(ROOT))
    objects = (parts for parts in paths if len(parts) > depth and all(map(_TUPLE.fullmatch, parts[1 : depth - 1])))
    for key, files in groupby(objects, lambda parts: "/".join(parts[:depth])):
        yield key, [parts[depth] for parts in files if parts[depth].startswith(f"{LOGS}/")]


def object_at(storage: Storage, key: str) -> Found:
    """Return the object at a key, also if it does not exist."""
    start = len(key) + 1
    return key, [path[start:] for path, _ in storage.listed(f"{key}/{LOGS}")]


def text_of(storage: Storage, found: Found) -> bytes | None:
    """Return the text of an object's leaf as it is now; `!` and the key of a damaged object; None where it has no whole
    version yet.
    """
    try:
        leaf = leaf_of(storage, found)
    except Conflict:  # or a writer has replaced the log since it was listed
        try:
            leaf = leaf_of(storage, object_at(storage, found[0]))
        except Conflict:
            return DAMAGED + found[0].encode()
    return leaf_text(leaf) if leaf else None


def leaf_of(storage: Storage, found: Found) -> Leaf | None:
    """Return the leaf of an object as it is now; None where it has no whole version yet.

    Raises:
        Conflict: the inventory or a log is damaged.
    """
    key, paths = found
    text = storage.found_bytes(f"{key}/{INVENTORY}")
    if text is None:
        return None
    messages = _messages(text, key)
    receipt_ids = {*messages, *(its[1] for path in paths if (its := _DELIVERED.fullmatch(path)))}
    return Leaf(
        key, len(messages), _digest(text), tuple(sorted(receipt_ids)), tuple(sorted(_facts(storage, key, paths)))
    )


def leaves_beside(storage: Storage, since: datetime | None = None) -> Iterator[Leaf]:
    """Yield the leaves of the files beside the archives that are written once, in order of their keys. Session events,
    what happened and the access log have a leaf for each day, and revoked links one: with a fact for each file's name.

    Args:
        since: leaves out the settlement reports that were imported before, and the days that were over.

    Raises:
        Conflict: a log is damaged.
    """
    folders = filter(_NAMED.fullmatch, [_LINKS, *_days(storage, since)])
    leaves = [*(_leaf_of_folder(storage, folder) for folder in folders), *_leaves_of_reports(storage, since)]
    yield from sorted(filter(None, leaves), key=lambda leaf: leaf.key)


def leaf_beside(storage: Storage, key: str) -> Leaf | None:
    """Return the leaf at a key beside the archives as it is now; None where there is nothing. Raises as above."""
    if _NAMED.fullmatch(key):
        return _leaf_of_folder(storage, key)
    digest = storage.digest_of(key)
    return Leaf(key, 0, digest, (), ()) if digest else None


def _days(storage: Storage, since: datetime | None) -> Iterable[str]:
    """Return the folders of all days, or of the days since a time."""
    if since is None:
        return {key.rpartition("/")[0] for folder in _BY_DAY for key, _ in storage.listed(folder)}
    first = since.astimezone(UTC).date()
    dates = [first + timedelta(days=day) for day in range((datetime.now(UTC).date() - first).days + 1)]
    return [f"{folder}/{date:%Y/%m/%d}" for folder in _BY_DAY for date in dates]


def _leaf_of_folder(storage: Storage, folder: str) -> Leaf | None:
    facts = sorted(fact_of_file(key) for key, _ in storage.listed(folder))
    return Leaf(folder, 0, "", (), tuple(facts)) if facts else None


def _leaves_of_reports(storage: Storage, since: datetime | None) -> Iterator[Leaf]:
    keys = [key for key, _ in storage.listed(BESIDE)]
    old = {key.removesuffix(_IMPORTED) for key in keys if since and _is_older(storage, key, since)}
    recent = [key for key in keys if _WRITTEN_ONCE.fullmatch(key) and key.rpartition(".")[0] not in old]
    yield from (Leaf(key, 0, storage.digest_of(key) or "", (), ()) for key in recent)


def _is_older(storage: Storage, key: str, since: datetime) -> bool:
    """Return whether a key is the time of import of a report that was imported before a time."""
    try:
        return key.endswith(_IMPORTED) and datetime.fromisoformat(storage.read_bytes(key).decode()) < since
    except (ValueError, TypeError):
        return False


def _facts(storage: Storage, key: str, paths: Iterable[str]) -> set[str]:
    try:
        return _facts_in(storage, f"{key}/", paths)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Conflict("a log is damaged; see `cellar verify`", key=key) from error


def _facts_in(storage: Storage, start: str, paths: Iterable[str]) -> set[str]:
    facts = set[str]()
    for path in paths:
        if _OF_A_RECEIPT.fullmatch(path):
            facts.update(facts_of_receipt(_rows(storage, start + path)))
        elif its := _DELIVERED.fullmatch(path):
            facts.update(_facts_of_delivery(its[1], storage, start + path))
        elif _JUDGEMENT.fullmatch(path):
            facts.add(fact_of_judgement(path, storage.read_bytes(start + path)))
    return facts


def _facts_of_delivery(receipt_id: str, storage: Storage, key: str) -> Iterator[str]:
    try:
        record = orjson.loads(storage.found_bytes(key) or b"")
        yield fact_of_delivery(receipt_id, int(record["version"]))
        yield fact_of_content(receipt_id, str(record["content_root"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Conflict("a delivery record is damaged; see `cellar verify`", key=key) from error


def _messages(text: bytes, key: str) -> list[str]:
    """Return the receipts that made the versions of an inventory, the first version first."""
    try:
        versions = orjson.loads(text)["versions"]
        messages = [versions[f"v{number}"]["message"] for number in range(1, len(versions) + 1)]
        if not all(isinstance(each, str) for each in messages):
            raise TypeError("a message is no text")
        return messages
    except (ValueError, KeyError, TypeError) as error:
        raise Conflict("an inventory is damaged; see `cellar verify`", key=key) from error


def _rows(storage: Storage, key: str) -> dict[str, list[dict[str, Any]]]:
    digest, _, text = (storage.found_bytes(key) or b"").partition(b"\n")
    if _digest(text).encode() != digest:
        raise Conflict(Sentence.history_damaged(), key=key)
    rows: dict[str, list[dict[str, Any]]]
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError:  # half an emoji, which only the standard library reads
        rows = json.loads(text)
    return rows


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _below(folder: str, tuples: int) -> Iterator[str]:
    for name in sorted(_names(folder)):
        if not tuples:
            yield f"{folder}/{name}"
        elif _TUPLE.fullmatch(name):
            yield from _below(f"{folder}/{name}", tuples - 1)


def _files(folder: str, start: int) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path, start)
                else:
                    yield entry.path[start:]
    except FileNotFoundError:
        return  # no run has ended yet


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 -- a Path costs as much as the call
    except (FileNotFoundError, NotADirectoryError):
        return []  # the store has no archives yet, or a foreign file lies there


def _transient(error: OSError) -> Transient:
    summary = f"the folder does not list the archives: {error.strerror or type(error).__name__}"
    return Transient(summary, system=System.STORE)


def main(folder: Folder, number: int, of: int) -> None:
    gc.disable()  # nothing here makes cycles, and there are many small objects
    for first in tuples_of(folder)[number::of]:
        texts = (text_of(folder, each) for each in objects_in_folder(folder, [first]))
        lines = b"".join(each + b"\n" for each in texts if each is not None)
        sys.stdout.buffer.write(b"%d\n%b" % (len(lines), lines))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main(Folder(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))
    except Transient as error:
        sys.exit(str(error))
