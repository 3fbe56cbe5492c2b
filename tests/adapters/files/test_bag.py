"""BagIt bags pass bagit-python, and are written whole or not at all."""

import hashlib
import os
import resource
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile

import bagit
import pytest

from adapters.files.bag import BagFile, write_bag
from models.errors import Conflict, Refused, Transient

# bagit-python passes flags of a pattern as its count.
pytestmark = pytest.mark.filterwarnings("ignore:'count' is passed as positional argument:DeprecationWarning")

HEBREW = "files/חוזה חתום.pdf"
INFO = {"External-Identifier": "process-1", "Bag-Software-Agent": "cellar"}
MIB = 1 << 20


def bag_file(path: str, data: bytes, sha256: str | None = None) -> BagFile:
    return BagFile(path, lambda: nullcontext(BytesIO(data)), sha256)


def sample_files() -> list[BagFile]:
    large = bytes(range(256)) * 5000
    return [
        bag_file(HEBREW, b"%PDF-1.7", hashlib.sha256(b"%PDF-1.7").hexdigest()),
        bag_file("files/large.bin", large),
        bag_file("files/empty", b""),
        bag_file("summary.html", b"<!doctype html>"),
    ]


class Failing(BytesIO):
    """A stream that yields one chunk and then fails like the store."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise Transient("the store does not answer")
        return super().read(size)


class Zeros(BytesIO):
    """A stream of `size_mib` MiB that takes up no memory."""

    def __init__(self, size_mib: int) -> None:
        super().__init__()
        self.left = size_mib

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        return bytes(MIB) if self.left >= 0 else b""


def unzipped(path: Path) -> Path:
    with ZipFile(path) as bag:
        assert bag.testzip() is None
        bag.extractall(path.parent / "unzipped")
    return path.parent / "unzipped" / path.name.removesuffix(".zip")


def validate(folder: Path) -> bagit.Bag:
    bag = bagit.Bag(str(folder))
    bag.validate()
    return bag


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["bag", "bag.zip"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def as_folder(target: Path) -> Path:
    return unzipped(target) if target.suffix == ".zip" else target


def test_bag_is_valid_and_appears_when_whole_with_its_files_under_their_names(target: Path) -> None:
    seen: list[bool] = []
    write_bag(target, sample_files(), INFO, lambda _: seen.append(target.exists()))

    assert not any(seen)
    umask = os.umask(0)
    os.umask(umask)
    file = target if target.is_file() else target / "data" / HEBREW
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask
    folder = as_folder(target)
    bag = validate(folder)
    assert set(bag.payload_entries()) == {f"data/{each.path}" for each in sample_files()}
    assert (folder / "data" / HEBREW).read_bytes() == b"%PDF-1.7"
    assert (folder / "data" / "files" / "empty").read_bytes() == b""
    assert bag.version_info == (1, 0)
    assert bag.info == INFO | {"Payload-Oxum": "1280023.4"}


def test_bag_holds_only_the_files_that_the_standard_requires_and_those_about_it(target: Path) -> None:
    write_bag(target, [bag_file("a.txt", b"a")], {}, about=[bag_file("check.py", b"#")])

    folder = as_folder(target)
    bag = validate(folder)
    digest = hashlib.sha256(b"a").hexdigest()
    tags = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "check.py")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in tags}
    assert left_in(folder) == sorted([*tags, "tagmanifest-sha256.txt", "data"])
    assert (folder / "bagit.txt").read_bytes() == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    assert (folder / "manifest-sha256.txt").read_text() == f"{digest}  data/a.txt\n"
    assert (folder / "tagmanifest-sha256.txt").read_text() == "".join(f"{digests[n]}  {n}\n" for n in sorted(tags))
    assert set(bag.payload_entries()) == {"data/a.txt"}
    assert left_in(target.parent) == sorted({target.name, folder.parts[len(target.parent.parts)]})


def test_line_breaks_and_percent_in_a_path_are_encoded_in_the_manifest(target: Path) -> None:
    """bagit-python 1.9 does not decode a percent sign, contrary to RFC 8493, 2.1.3; `safe_names` removes it."""
    names = ("100%0A.txt", "one\ntwo.txt", "one\r\ntwo.txt")
    write_bag(target, [bag_file(name, b"1") for name in names], {})

    folder = as_folder(target)
    lines = (folder / "manifest-sha256.txt").read_text().splitlines()
    encoded = ["100%250A.txt", "one%0Atwo.txt", "one%0D%0Atwo.txt"]
    assert [line.split("  ")[1] for line in lines] == [f"data/{each}" for each in encoded]
    assert {path.name for path in (folder / "data").iterdir()} == set(names)


def test_value_in_bag_info_stays_on_its_line(target: Path) -> None:
    hostile = {"External-Description": "one\r\n two\nPayload-Oxum: 1.1\u2028three\x85four\0five", "Bag:\nGroup": "שלום"}

    write_bag(target, [], hostile)

    folder = as_folder(target)
    assert (folder / "bag-info.txt").read_text() == (
        "External-Description: one two Payload-Oxum: 1.1 three four five\nBag  Group: שלום\nPayload-Oxum: 0.0\n"
    )
    assert validate(folder).info["Payload-Oxum"] == "0.0"


def test_zip_of_the_same_files_is_the_same_and_has_one_folder_with_names_in_utf_8(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_bag(tmp_path / name / "process 1.ZIP", sample_files(), INFO)

    one, two = (tmp_path / name / "process 1.ZIP" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    with ZipFile(one) as bag:
        entries = bag.infolist()
    assert [each.filename for each in entries] == [
        "process 1/data/",
        *(f"process 1/data/{each.path}" for each in sample_files()),
        *(f"process 1/{name}" for name in ("bagit.txt", "bag-info.txt", "manifest-sha256.txt")),
        "process 1/tagmanifest-sha256.txt",
    ]
    assert entries[1].flag_bits & 0x800
    assert {each.compress_type for each in entries} == {ZIP_STORED}


def test_memory_stays_flat(target: Path) -> None:
    zeros = Zeros(64)

    tracemalloc.start()
    try:
        write_bag(target, [BagFile("large", lambda: nullcontext(zeros))], {})
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 8 * MIB


GONE, WHOLE = Path("gone"), hashlib.sha256(b"whole").hexdigest()
WRONG: dict[str, tuple[BagFile, type[Exception], str]] = {
    "nothing for its digest": (bag_file("files/דנה.pdf", b"", WHOLE), Conflict, WHOLE),
    "a part for its digest": (bag_file("files/דנה.pdf", b"truncated", WHOLE), Conflict, WHOLE),
    "source that fails": (
        BagFile("files/b.pdf", lambda: nullcontext(Failing(b"x" * MIB))),
        Transient,
        "the store does not answer",
    ),
    "source that is gone": (BagFile("files/b.pdf", lambda: GONE.open("rb")), FileNotFoundError, "gone"),
    "path of another file": (bag_file("files/empty", b"2"), Refused, "BAD_PATH"),
    **{
        f"path {path!r}": (bag_file(path, b"x"), Refused, "BAD_PATH")
        for path in ("", ".", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "a\\..\\b", "a\0b")
    },
}


@pytest.mark.parametrize(("wrong", "error", "said"), WRONG.values(), ids=WRONG)
def test_wrong_file_fails_the_export_which_leaves_nothing(
    target: Path, wrong: BagFile, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        write_bag(target, [*sample_files(), wrong], INFO)

    assert left_in(target.parent) == []


@pytest.mark.parametrize("put", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_existing_target_is_untouched(target: Path, put: Callable[[Path], None]) -> None:
    put(target)
    before = target.lstat()

    with pytest.raises(Refused, match="TARGET_EXISTS"):
        write_bag(target, sample_files(), INFO)

    assert target.lstat() == before
    assert left_in(target.parent) == [target.name]


@contextmanager
def source_that_explains_errors() -> Iterator[BinaryIO]:
    """Yield a source that reports every OSError as its own, as the store does."""
    try:
        yield BytesIO(b"x" * 4 * MIB)
    except OSError as error:
        raise Transient("the store failed to read") from error


def test_full_disk_is_reported_as_an_error_of_the_export_and_leaves_nothing(
    target: Path, file_size_limit: None
) -> None:
    with pytest.raises(Transient, match="the export could not be written: File too large"):
        write_bag(target, [BagFile("large", source_that_explains_errors)], {})

    assert left_in(target.parent) == []


@pytest.fixture
def file_size_limit() -> Iterator[None]:
    """Limit files to 2 MiB, so that a write fails halfway as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)
