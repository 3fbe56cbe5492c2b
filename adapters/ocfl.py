"""Archives as OCFL 1.1 objects, one per process reference, in one storage root: a folder or a bucket.

Folders come from a digest of the object's id, contents from digests: no name from a payload is a path. A version is
written once. In a folder it is built beside and renamed into place; in a bucket it is won by a conditional write of its
inventory before any content. The inventory of the object and its sidecar come last, so until then readers see the
version before. Whoever writes next settles what a killed one has left.

Source: "Oxford Common File Layout Specification 1.1"; "OCFL Community Extension 0003".
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from adapters import store
from adapters.durable import sync_tree
from models.errors import Conflict, Transient
from models.inventory import DIGEST_ALGORITHM, Inventory, ObjectVersion

ROOT = "archives"
INVENTORY = "inventory.json"
SIDECAR = f"{INVENTORY}.{DIGEST_ALGORITHM}"
LOGS = "logs"
_LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"
OBJECT_DECLARATION = "0=ocfl_object_1.1"
_LONGEST_FOLDER = 100  # of an id; a longer one is cut, and its digest appended


def object_id(reference: str) -> str:
    return f"urn:cellar:{quote(reference, safe='')}"


def reference_of(found: Inventory) -> str:
    """The process that an object is of."""
    return unquote(found.object_id.removeprefix("urn:cellar:"))


def object_key(reference: str) -> str:
    """Where in the store the object of a process lies."""
    digest = hashlib.sha256(object_id(reference).encode()).hexdigest()
    folder = re.sub(r"[^A-Za-z0-9_-]", lambda found: f"%{ord(found[0]):02x}", object_id(reference))
    if len(folder) > _LONGEST_FOLDER:
        folder = f"{folder[:_LONGEST_FOLDER]}-{digest}"
    return f"{ROOT}/{digest[:3]}/{digest[3:6]}/{digest[6:9]}/{folder}"


def log_key(reference: str, path: str) -> str:
    """Where something lies that belongs to the object and to none of its versions."""
    return f"{object_key(reference)}/{LOGS}/{path}"


def inventory(reference: str) -> Inventory | None:
    """Return the inventory of a process's object; None where there is no object.

    Raises:
        Conflict: it cannot be read.
        Transient: the store does not answer.
    """
    return inventory_at(object_key(reference))


def inventory_at(key: str) -> Inventory | None:
    """`inventory`, of the object at a key of the store."""
    text = store.found_bytes(f"{key}/{INVENTORY}")
    return _parsed(text, key) if text is not None else None


def content_key(reference: str, found: Inventory, sha256: str) -> str:
    """Where in the store a content of an object lies."""
    return f"{object_key(reference)}/{found.manifest[sha256]}"


def sidecar(text: bytes) -> bytes:
    """What stands beside an inventory to prove it."""
    return f"{hashlib.sha256(text).hexdigest()} {INVENTORY}\n".encode()


def settled(reference: str) -> Inventory | None:
    """Finish, or take back, what a killed writer has left, and return the inventory; None where there is no object.

    Raises:
        Conflict: what is there is damaged.
        Transient: the store does not answer.
    """
    key = object_key(reference)
    text = store.found_bytes(f"{key}/{INVENTORY}")
    if text is None:
        return _begun(key)
    before = _parsed(text, key)
    if store.found_bytes(f"{key}/{SIDECAR}") != sidecar(text):
        if store.found_bytes(f"{key}/v{before.head}/{INVENTORY}") != text:
            raise _damaged(key)
        store.overwrite_bytes(sidecar(text), f"{key}/{SIDECAR}")
    told = _whole(key, before.head + 1)
    if told is None and store.is_bucket():
        _take_back(key, before.head + 1)
    elif told is None and store.stored_size(f"{key}/v{before.head + 1}/{INVENTORY}") is not None:
        raise _damaged(key)  # in a folder a version comes whole
    return _told(key, told) if told else before


def _begun(key: str) -> Inventory | None:
    """An object without an inventory: its first writer was killed; or it has lost it, and its versions have it too."""
    paths = _paths(key)
    versions = [path.partition("/")[0] for path in paths if path.startswith("v")]
    head = max((int(version[1:]) for version in versions if version[1:].isdecimal()), default=0)
    told = _whole(key, head) if head else None
    if told:
        return _told(key, told)
    was_told_of = any(path.startswith((f"{LOGS}/", SIDECAR)) for path in paths)
    if head > 1 or was_told_of or (head and not store.is_bucket()):
        raise _damaged(key)
    if store.is_bucket():
        _take_back(key, 1)
    return None


def _whole(key: str, number: int) -> bytes | None:
    """The inventory of a version that is there with all its content."""
    text = store.found_bytes(f"{key}/v{number}/{INVENTORY}")
    if text is None or store.found_bytes(f"{key}/v{number}/{SIDECAR}") != sidecar(text):
        return None
    contents = _parsed(text, key).content_of(number).values()
    return text if all(store.stored_size(f"{key}/{path}") is not None for path in contents) else None


def _told(key: str, text: bytes) -> Inventory:
    """Let the object tell of a version that is whole."""
    if store.stored_size(f"{key}/{OBJECT_DECLARATION}") is None:
        store.keep_bytes(_declaration(OBJECT_DECLARATION), f"{key}/{OBJECT_DECLARATION}")
    _write_inventory(text, key)
    return _parsed(text, key)


def _take_back(key: str, number: int) -> None:
    """Remove what a killed writer has left of a version, which nobody was told of: its inventory, by which it was won,
    last.
    """
    begun = f"v{number}/"
    for path in sorted((path for path in _paths(key) if path.startswith(begun)), key=lambda path: path.count("/") < 2):
        store.remove(f"{key}/{path}")


def _paths(key: str) -> list[str]:
    return [path.removeprefix(f"{key}/") for path, _ in store.listed(key)]


def add_version(
    reference: str,
    before: Inventory | None,
    version: ObjectVersion,
    stage: Path,
    contents: Mapping[str, str],
    checkpoint: Callable[[], None],
) -> Inventory:
    """Add the next version to a process's object, which is made by its first. Takes effect whole or not at all.

    Args:
        reference: that of the process. One writer at a time works on it.
        before: what `settled` has returned.
        version: the version.
        stage: a folder of `store.staging` whose folder `content` holds at least what is new. It is used up.
        contents: the paths in `content`, by their digests.
        checkpoint: is called between two writes, and may raise: who lost the process must not go on.

    Raises:
        Transient: the store does not take it now, or another writer was first.
    """
    after = (before or Inventory(object_id(reference), {}, ())).with_version(version, contents)
    _make_root()
    key = object_key(reference)
    if store.is_bucket():
        _upload(key, after, stage / "content", checkpoint)
    else:
        checkpoint()
        _place(key, after, stage)
    checkpoint()
    _tell(key, before, after)
    return after


def _place(key: str, after: Inventory, stage: Path) -> None:
    """Build the version, or with the first one the object, and rename it into place."""
    built, text = stage / "object", after.to_json()
    version = built / f"v{after.head}"
    version.mkdir(parents=True)
    _remove_known(stage / "content", after)
    (stage / "content").rename(version / "content")
    _write_files(version, text)
    if after.head == 1:
        (built / OBJECT_DECLARATION).write_bytes(_declaration(OBJECT_DECLARATION))
        _write_files(built, text)
    placed, place = (built, key) if after.head == 1 else (version, f"{key}/v{after.head}")
    sync_tree(placed)
    if not store.place_folder(placed, place):
        raise _other_writer(after)


def _upload(key: str, after: Inventory, content: Path, checkpoint: Callable[[], None]) -> None:
    """Win the version, then bring its content."""
    text, number = after.to_json(), f"v{after.head}"
    if not store.keep_first(text, f"{key}/{number}/{INVENTORY}"):
        raise _other_writer(after)
    store.overwrite_bytes(sidecar(text), f"{key}/{number}/{SIDECAR}")
    for path in after.content_of(after.head).values():
        checkpoint()
        store.keep(content / path.removeprefix(f"{number}/content/"), f"{key}/{path}")
    if after.head == 1:
        store.keep_bytes(_declaration(OBJECT_DECLARATION), f"{key}/{OBJECT_DECLARATION}")


def _tell(key: str, before: Inventory | None, after: Inventory) -> None:
    """Let the object tell of its new version. Whoever is here too late, after another, never turns it back."""
    text = after.to_json()
    if store.found_bytes(f"{key}/v{after.head}/{INVENTORY}") != text:
        raise _other_writer(after)
    told = store.found_bytes(f"{key}/{INVENTORY}")
    if told == text:
        return
    if told != (before.to_json() if before else None):
        raise _other_writer(after)
    _write_inventory(text, key)


def _other_writer(after: Inventory) -> Transient:
    return Transient(f"another run has written version {after.head} of this archive meanwhile; this one begins anew")


def _remove_known(content: Path, after: Inventory) -> None:
    """Leave only what the version brings: OCFL knows no content that no version names, and no empty folder."""
    brought = {path.partition("/content/")[2] for path in after.content_of(after.head).values()}
    for path in sorted(content.rglob("*"), reverse=True):
        if path.is_file() and str(path.relative_to(content)) not in brought:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _make_root() -> None:
    """The files that make a folder an OCFL storage root. The last one is the declaration."""
    declaration = f"{ROOT}/0=ocfl_1.1"
    if store.stored_size(declaration) is None:
        layout = {"extension": _LAYOUT, "description": "By the SHA-256 of the object's id, and the id itself."}
        config = {"extensionName": _LAYOUT, "digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3}
        store.overwrite_bytes(_json(config), f"{ROOT}/extensions/{_LAYOUT}/config.json")
        store.overwrite_bytes(_json(layout), f"{ROOT}/ocfl_layout.json")
        store.overwrite_bytes(_declaration("0=ocfl_1.1"), declaration)


def _write_inventory(text: bytes, key: str) -> None:
    store.overwrite_bytes(text, f"{key}/{INVENTORY}")
    store.overwrite_bytes(sidecar(text), f"{key}/{SIDECAR}")


def _write_files(folder: Path, text: bytes) -> None:
    (folder / INVENTORY).write_bytes(text)
    (folder / SIDECAR).write_bytes(sidecar(text))


def _parsed(text: bytes, key: str) -> Inventory:
    try:
        return Inventory.from_json(text)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _damaged(key) from error


def _damaged(key: str) -> Conflict:
    return Conflict(f"the inventory of {key} is damaged; `cellar verify` tells more, a copy of the store has it whole")


def _declaration(name: str) -> bytes:
    return name.removeprefix("0=").encode() + b"\n"


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, indent=1).encode()
