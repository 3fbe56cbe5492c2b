"""Archives as OCFL 1.1 objects, one per process reference, in one storage root: a folder or a bucket.

Folders are named by the object's id, encoded, and its digest, contents by their digests: no text from a payload acts as
a path. A version is written once. In a folder it is built beside the store and renamed into place. In a bucket the
conditional write of its inventory wins the version before any content is written. The root inventory and its sidecar
come last, so until then readers see the previous version. `interrupted` finishes or removes what a killed writer left.

Source: "Oxford Common File Layout Specification 1.1"; "OCFL Community Extension 0003".
"""

import hashlib
import json
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import quote, unquote

from adapters.files.spool import translated
from adapters.files.storage import LocalFolder, Storage
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.platform.durable import sync_tree
from models.errors import Conflict, Transient
from models.said import Sentence
from models.store.inventory import DIGEST_ALGORITHM, Inventory, ObjectVersion

ROOT = "archives"
INVENTORY = "inventory.json"
SIDECAR = f"{INVENTORY}.{DIGEST_ALGORITHM}"
LOGS = "logs"
_LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"
ROOT_DECLARATION = f"{ROOT}/0=ocfl_1.1"
OBJECT_DECLARATION = "0=ocfl_object_1.1"
PARTS_OF_AN_OBJECT = 5  # of its key: the root, three tuples, the object
_LONGEST_FOLDER = 100  # of an id; a longer id is cut, and its digest appended


def object_id(reference: str) -> str:
    return f"urn:cellar:{quote(reference, safe='')}"


def reference_of(found: Inventory) -> str:
    """Return the reference of an object's process."""
    return unquote(found.object_id.removeprefix("urn:cellar:"))


@lru_cache
def object_key(reference: str) -> str:
    """Return the key of a process's object in the store."""
    digest = hashlib.sha256(object_id(reference).encode()).hexdigest()
    folder = re.sub(r"[^A-Za-z0-9_-]", lambda found: f"%{ord(found[0]):02x}", object_id(reference))
    if len(folder) > _LONGEST_FOLDER:
        folder = f"{folder[:_LONGEST_FOLDER]}-{digest}"
    return f"{ROOT}/{digest[:3]}/{digest[3:6]}/{digest[6:9]}/{folder}"


def object_around(key: str) -> str:
    """Return the key of the object that is or has what lies at a key; empty for what lies outside of objects."""
    parts = key.split("/")
    is_object = parts[0] == ROOT and len(parts) >= PARTS_OF_AN_OBJECT
    return "/".join(parts[:PARTS_OF_AN_OBJECT]) if is_object else ""


def reference_at(key: str) -> str | None:
    """Return the reference of the process whose object has a key; None if the key has only a part of it."""
    reference = unquote(unquote(key.rpartition("/")[2])).removeprefix("urn:cellar:")
    return reference if object_key(reference) == key else None


def log_key(reference: str, path: str) -> str:
    """Return the key of a file that belongs to the object and to none of its versions."""
    return f"{object_key(reference)}/{LOGS}/{path}"


def inventory(reference: str) -> Inventory | None:
    """Return the inventory of a process's object; None where there is no object.

    Raises Conflict if the inventory cannot be read.
    """
    return inventory_at(object_key(reference))


def inventory_at(key: str) -> Inventory | None:
    """Return the inventory of the object at a key of the store; None if there is no object. Raises as `inventory`."""
    text = store().found_bytes(f"{key}/{INVENTORY}")
    return parsed(text, key) if text is not None else None


def parsed(text: bytes, key: str) -> Inventory:
    """Parse the inventory of the object at a key. Raises Conflict if the text is not an inventory."""
    try:
        return Inventory.from_json(text)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise damaged(key) from error


def damaged(key: str) -> Conflict:
    """Return the error of a damaged object, without the object's id: logs have the text, and the id has a reference."""
    folder = key.rpartition("/")[0]
    return Conflict(Sentence.object_damaged(folder=folder), code="NOT_REPAIRABLE")


def content_key(reference: str, found: Inventory, sha256: str) -> str:
    """Return the key of a content of an object in the store."""
    return f"{object_key(reference)}/{found.manifest[sha256]}"


def sidecar(text: bytes) -> bytes:
    """Return the sidecar that proves an inventory."""
    return f"{hashlib.sha256(text).hexdigest()} {INVENTORY}\n".encode()


def add_version(
    reference: str, before: Inventory | None, version: ObjectVersion, stage: Path, contents: Mapping[str, str]
) -> Inventory:
    """Add the next version to a process's object. The first version makes the object. Takes effect whole or not at all.

    Args:
        reference: the reference of the process. One writer at a time works on it.
        before: the inventory that `interrupted.repaired` returned.
        stage: a folder of `spool.staging` whose folder `content` holds at least the new contents. It is used up.
        contents: the paths in `content`, by their digests.

    Raises:
        Transient: the store does not accept the version now, or another writer was first.
    """
    writer = version_writer()
    paths = {sha256: f"{writer.folder}{path}" for sha256, path in contents.items()}
    after = (before or Inventory(object_id(reference), {}, ())).with_version(version, paths)
    key = object_key(reference)
    writer.write(key, after, stage)
    _write_inventory(before.to_json() if before else None, after.to_json(), key, after.head)
    return after


def publish(key: str, number: int, before: bytes | None) -> Inventory:
    """Write a whole version, of any writer, into the root inventory of the object at a key, and return the inventory.

    Args:
        before: the root inventory that the object has.

    Raises:
        Transient: the store does not accept it now, or another writer has recorded this version or a later one.
    """
    text = store().read_bytes(f"{key}/v{number}/{INVENTORY}")
    if store().size(f"{key}/{OBJECT_DECLARATION}") is None:
        store().overwrite_bytes(declaration(OBJECT_DECLARATION), f"{key}/{OBJECT_DECLARATION}")
    _write_inventory(before, text, key, number)
    return parsed(text, key)


def withdraw(key: str, number: int, text: bytes) -> None:
    """Remove inventory and sidecar of a version that is not in the root inventory. Another writer may then win it.

    Args:
        text: the inventory that won the version.

    Raises:
        Transient: the store does not answer, or the version now belongs to another writer.
    """
    version = f"{key}/v{number}"
    store().remove_same(sidecar(text), f"{version}/{SIDECAR}")
    if not store().remove_same(text, f"{version}/{INVENTORY}"):
        raise _other_writer(number)


class VersionWriter(ABC):
    """A way to bring a version into the store."""

    leaves_halves: bool
    """Whether a killed writer can leave a version with missing files."""
    folder: str
    """The prefix of the path of each content, below `content`."""

    @abstractmethod
    def write(self, key: str, after: Inventory, stage: Path) -> None:
        """Bring the last version of `after` from `stage` into the object at a key, but not into the root inventory.

        Raises Transient if the store does not accept the version now, or another writer was first.
        """


def version_writer() -> VersionWriter:
    """Return a writer for one version."""
    return store().suited(folder=_Placing, bucket=_Winning)


class _Placing(VersionWriter):
    """A writer that builds a version, the first one with its object, and renames it into place."""

    leaves_halves = False
    folder = ""

    def __init__(self, place: LocalFolder) -> None:
        self._place = place

    def write(self, key: str, after: Inventory, stage: Path) -> None:
        checkpoint()
        built, text = stage / "object", after.to_json()
        version = built / f"v{after.head}"
        placed, place = (built, key) if after.head == 1 else (version, f"{key}/v{after.head}")
        with translated():
            version.mkdir(parents=True)
            _remove_known(stage / "content", after)
            (stage / "content").rename(version / "content")
            _write_files(version, text)
            if after.head == 1:
                (built / OBJECT_DECLARATION).write_bytes(declaration(OBJECT_DECLARATION))
                _write_files(built, text)
            sync_tree(placed)
        if not self._place.place_folder(placed, place):
            raise _other_writer(after.head)
        checkpoint()


class _Winning(VersionWriter):
    """A writer that wins a version by its inventory, then brings its content.

    Each writer has its own keys, so a writer that was wrongly taken for dead touches no content of another writer.
    """

    leaves_halves = True

    def __init__(self, place: Storage) -> None:
        self._place = place
        self.folder = f"{secrets.token_hex(4)}/"

    def write(self, key: str, after: Inventory, stage: Path) -> None:
        text, version = after.to_json(), f"{key}/v{after.head}"
        if not self._place.keep_first(text, f"{version}/{INVENTORY}"):
            raise _other_writer(after.head)
        writes = [partial(self._place.overwrite_bytes, sidecar(text), f"{version}/{SIDECAR}")]
        if after.head == 1:
            declared = declaration(OBJECT_DECLARATION)
            writes.append(partial(self._place.overwrite_bytes, declared, f"{key}/{OBJECT_DECLARATION}"))
        for path in after.content_of(after.head).values():
            staged = stage / "content" / path.removeprefix(f"v{after.head}/content/{self.folder}")
            writes.append(partial(self._place.keep, staged, f"{key}/{path}"))
        try:
            self._place.do_all(*writes)
            checkpoint()
        except BaseException:
            _made_way(key, after)
            raise
        if _made_way(key, after):
            raise _other_writer(after.head)


def _made_way(key: str, after: Inventory) -> bool:
    """Return whether another writer has won the version since we were taken for dead, and remove our files from it."""
    version, ours = f"{key}/v{after.head}", sidecar(after.to_json())
    text = store().found_bytes(f"{version}/{INVENTORY}")
    if text == after.to_json():
        return False
    for path in after.content_of(after.head).values():
        store().remove(f"{key}/{path}")
    if text:
        store().replace_bytes(ours, sidecar(text), f"{version}/{SIDECAR}")
    else:
        store().remove_same(ours, f"{version}/{SIDECAR}")
    return True


def _other_writer(number: int) -> Transient:
    return Transient(Sentence.written_by_other(number=number))


def _remove_known(content: Path, after: Inventory) -> None:
    """Remove all but the version's new files: OCFL allows no content that no version names, and no empty folder."""
    brought = {path.partition("/content/")[2] for path in after.content_of(after.head).values()}
    for path in sorted(content.rglob("*"), reverse=True):
        if path.is_file() and str(path.relative_to(content)) not in brought:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def root_files() -> dict[str, bytes]:
    """Return the files that make a folder an OCFL storage root, by key. The declaration comes last."""
    layout = {"extension": _LAYOUT, "description": "By the SHA-256 of the object's id, and the id itself."}
    config = {"extensionName": _LAYOUT, "digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3}
    return {
        f"{ROOT}/extensions/{_LAYOUT}/config.json": _json(config),
        f"{ROOT}/ocfl_layout.json": _json(layout),
        ROOT_DECLARATION: declaration(ROOT_DECLARATION),
    }


def has_root() -> bool:
    """Return whether the store was ever used: the declaration of its root is there."""
    return store().size(ROOT_DECLARATION) is not None


def make_root() -> None:
    """Write the files that make the store an OCFL storage root. The first archive needs them."""
    for key, text in root_files().items():
        store().overwrite_bytes(text, key)


def _write_inventory(before: bytes | None, text: bytes, key: str, number: int) -> None:
    """Replace the inventory `before`, then the sidecar. A writer that comes too late never reverts an object."""
    if not store().replace_bytes(before, text, f"{key}/{INVENTORY}"):
        raise _other_writer(number)
    store().replace_bytes(sidecar(before) if before else None, sidecar(text), f"{key}/{SIDECAR}")


def _write_files(folder: Path, text: bytes) -> None:
    (folder / INVENTORY).write_bytes(text)
    (folder / SIDECAR).write_bytes(sidecar(text))


def declaration(path: str) -> bytes:
    """Return the content of a file that declares an OCFL folder: the same as its name."""
    return path.rpartition("0=")[2].encode() + b"\n"


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, indent=1).encode()


SKELETON = "skeleton.json"
CUTS = "cuts.json"
SCANS = "scans.json"
"""Media type and ClamAV's answer for each file, at its arrival."""
VERDICT = "signatures.json"
"""The verdict on the signed document, at its arrival."""
REVOCATION = "revocation.json"
"""OCSP answers and CRLs that were fetched for the signed document at its arrival, as base64."""
REQUEST = "request.sealed"
"""The raw body, encrypted; kept only where it cannot be rebuilt."""
KEPT = (SKELETON, CUTS, SCANS, VERDICT, REVOCATION, REQUEST)
FILES = "files"
DELIVERIES = "receipts"
"""The folder in an object's logs with the files that rebuild requests that said nothing new."""
