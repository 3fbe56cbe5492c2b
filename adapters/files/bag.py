"""Writes BagIt bags: files with their digests, in a folder or a zip, that other programs can check.

Source: RFC 8493, BagIt 1.0.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from adapters.files.new_files import built_beside, disk_errors
from adapters.platform.durable import sync_folder
from models.errors import Conflict, Refused

_COPY_BYTES = 1 << 20
_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_MANIFEST = "manifest-sha256.txt"
_SIGNATURE = "tagmanifest-sha256.sig"
_ENCODED = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")

NewFile = Callable[[str], AbstractContextManager[IO[bytes]]]
"""Opens a new file of a bag for writing, by its path in the bag."""
Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class BagFile:
    """A file for a bag.

    `path` is its path inside `data/`, or in the bag itself for a file about the bag. `opened` gives its bytes, `sha256`
    is their expected digest, if known.
    """

    path: str
    opened: Callable[[], AbstractContextManager[BinaryIO]]
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag among others, in a folder whose path ends in a slash. The rest is as `write_bag` has it."""

    folder: str
    files: Iterable[BagFile]
    info: Mapping[str, str]
    about: Iterable[BagFile] = ()
    sign: Sign | None = None


@dataclass(frozen=True, slots=True)
class _Written:
    path: str
    sha256: str
    size_bytes: int


def write_bag(
    target: Path,
    files: Iterable[BagFile],
    info: Mapping[str, str],
    on_written: Callable[[int], None] | None = None,
    about: Iterable[BagFile] = (),
    sign: Sign | None = None,
) -> None:
    """Write a bag into a new folder `target`, or into a new zip if the name of `target` ends in `.zip`.

    The bag appears whole or not at all: it is built beside `target` under another name, synced and renamed. Memory
    stays flat. The same files and info make the same bytes.

    Args:
        files: Each is opened when its turn comes.
        info: The values of `bag-info.txt`, by label; `Payload-Oxum` is added.
        on_written: Gets the number of bytes of the files in each write.
        about: Files beside the files of the standard, which belong to the bag and not to its payload.
        sign: Returns the signature of the manifest of tags, and so of all files; None for a bag without one.

    Raises:
        Refused: `target` exists, its folder is missing, or the path of a file is invalid.
        Conflict: the bytes of a file do not match its digest.
        Transient: the disk does not take the bag now.
        FileNotFoundError: `opened` does not find its file.
    """
    with built_beside(target) as part, _new_target(target, part, "data/") as new_file:
        _write_into(new_file, Bag("", files, info, about, sign), on_written)


def write_bags(target: Path, bags: Iterable[Bag], beside: Iterable[BagFile]) -> None:
    """Write bags, each into its folder of a new folder or zip, and then the files beside them. Else as `write_bag`."""
    with built_beside(target) as part, _new_target(target, part) as new_file:
        for bag in bags:
            _write_into(partial(_new_inside, new_file, bag.folder), bag, None)
        list(_written_files(new_file, "", beside, None))


def _new_inside(new_file: NewFile, folder: str, path: str) -> AbstractContextManager[IO[bytes]]:
    return new_file(f"{folder}{path}")


def _write_into(new_file: NewFile, bag: Bag, on_written: Callable[[int], None] | None) -> None:
    payload = list(_written_files(new_file, "data/", bag.files, on_written))
    _write_tags(new_file, payload, bag, list(_written_files(new_file, "", bag.about, None)))


def _written_files(
    new_file: NewFile, folder: str, files: Iterable[BagFile], on_written: Callable[[int], None] | None
) -> Iterator[_Written]:
    taken: set[str] = set()
    for file in files:
        _refuse_bad_path(file.path, taken)
        taken.add(file.path)
        with file.opened() as source:
            written = _copy(source, new_file, f"{folder}{file.path}", on_written)
        if file.sha256 not in (None, written.sha256):
            # The message names the digest, since the file's name may contain a person's name.
            raise Conflict(f"expected SHA-256 {file.sha256}, got a file with {written.sha256}; run `cellar verify`")
        yield written


def _write_tags(new_file: NewFile, payload: Sequence[_Written], bag: Bag, about: Sequence[_Written]) -> None:
    oxum = f"{sum(each.size_bytes for each in payload)}.{len(payload)}"
    tags = {
        "bagit.txt": _DECLARATION,
        "bag-info.txt": _info_text({**bag.info, "Payload-Oxum": oxum}),
        _MANIFEST: _manifest(payload),
    }
    written = [_copy(BytesIO(text.encode()), new_file, path, None) for path, text in tags.items()]
    tagged = _manifest([*written, *about]).encode()
    _copy(BytesIO(tagged), new_file, f"tag{_MANIFEST}", None)
    if bag.sign:
        _copy(BytesIO(bag.sign(tagged)), new_file, _SIGNATURE, None)


def _copy(source: BinaryIO, new_file: NewFile, path: str, on_written: Callable[[int], None] | None) -> _Written:
    digest, size_bytes = hashlib.sha256(), 0
    # Caught here too: otherwise the source's own context would take an error of this disk for its own.
    with disk_errors(), new_file(path) as copy:
        while chunk := source.read(_COPY_BYTES):
            digest.update(chunk)
            copy.write(chunk)
            size_bytes += len(chunk)
            if on_written:
                on_written(len(chunk))
    return _Written(path, digest.hexdigest(), size_bytes)


def _manifest(written: Iterable[_Written]) -> str:
    """Return a manifest in the order of its paths, so that a reader can refuse any other form."""
    digests = {each.path.translate(_ENCODED): each.sha256 for each in written}
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))


def _info_text(info: Mapping[str, str]) -> str:
    """Return one line per label: no value can begin another line or continue the line before."""
    return "".join(f"{_one_line(label).replace(':', ' ')}: {_one_line(value)}\n" for label, value in info.items())


def _one_line(text: str) -> str:
    return " ".join(_CONTROLS.sub(" ", text).split())


def _new_target(target: Path, part: Path, *folders: str) -> AbstractContextManager[NewFile]:
    if not target.name.lower().endswith(".zip"):
        return _new_folder(part, *folders)
    name = target.name[: -len(".zip")].encode(errors="replace").decode()
    return _new_zip(part, name.strip(".") or "bag", *folders)


@contextmanager
def _new_folder(folder: Path, *folders: str) -> Iterator[NewFile]:
    for each in ("", *folders):
        (folder / each).mkdir()
    yield partial(_synced_file, folder)
    for below, _, _ in os.walk(folder):
        sync_folder(Path(below))


@contextmanager
def _synced_file(folder: Path, path: str) -> Iterator[IO[bytes]]:
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _new_zip(path: Path, name: str, *folders: str) -> Iterator[NewFile]:
    """Make a zip that contains the bag as a folder. It compresses nothing: most documents are compressed already."""
    with path.open("xb") as file:
        with ZipFile(file, "w", ZIP_STORED) as bag:
            for each in folders:
                bag.writestr(_zip_entry(f"{name}/{each}", 0o40755), b"")
            # A file's size is known only at its end, so every file is zip64 from its start: files may exceed 2 GiB.
            yield lambda inside: bag.open(_zip_entry(f"{name}/{inside}", 0o100644), "w", force_zip64=True)
        file.flush()
        os.fsync(file.fileno())


def _zip_entry(path: str, mode: int) -> ZipInfo:
    """Return a zip entry with the default time of `ZipInfo`, which is always the same."""
    entry = ZipInfo(path)
    entry.external_attr = mode << 16
    return entry


def _refuse_bad_path(path: str, taken: set[str]) -> None:
    parts = path.split("/")
    if path in taken or "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise Refused("BAD_PATH", "expected a path inside data/ that is unique in the bag", where="files")
