"""A folder keeps files durably, whole and once, also through kills and foreign files."""

import gzip
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from adapters.files.folder import Folder
from adapters.files.new_files import new_file
from adapters.files.saved import DAMAGE, payloads, saved_files
from adapters.files.spool import staging
from models.errors import Refused, Transient, Unreadable
from models.store.fixity import EMPTY_FOLDER
from tests.adapters.files.keeping import keep
from tests.conftest import LONGEST_S, Configure

KEY = f"some/folder/{'ab' * 32}"


@pytest.fixture
def folder(configure: Configure) -> Path:
    """Return the folder of the store in the settings, for programs that use it."""
    return Path(configure().store_location)


@pytest.fixture
def storage(folder: Path) -> Folder:
    return Folder(folder)


def test_file_that_comes_while_it_is_read_is_not_there_or_whole(storage: Folder) -> None:
    keys = [f"{KEY}{number}" for number in range(500)]
    with ThreadPoolExecutor(1) as pool:
        keeping = pool.map(partial(storage.overwrite_bytes, b"whole"), keys)
        for key in keys:
            while (found := storage.found_bytes(key)) is None:
                pass
            assert found == b"whole"
        list(keeping)


def test_folder_is_placed_whole_and_never_replaces_another(folder: Path, storage: Folder) -> None:
    for name, placed in (("first", True), ("second", False)):
        with staging(storage.spool_folder) as stage:
            (stage / "made").mkdir()
            (stage / "made" / name).write_bytes(name.encode())

            assert storage.place_folder(stage / "made", "some/folder") is placed

    assert [path.name for path in (folder / "some" / "folder").iterdir()] == ["first"]
    assert list((folder / "spool").iterdir()) == []


KILLED_BEFORE_A_FOLDER_IS_PLACED = """
import os, signal
from adapters.files.folder import Folder
from adapters.files.spool import staging
from adapters.settings.settings import settings

rename = os.rename
def killed(source, target):
    if "spool" not in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)

os.rename = killed
storage = Folder(settings().data_dir.absolute() / "store")
with staging(storage.spool_folder) as stage:
    (stage / "made").mkdir()
    storage.place_folder(stage / "made", "some/deep/folder")
"""


def run_program(text: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST_S)


def test_writer_killed_before_placing_a_folder_leaves_no_empty_parent(folder: Path) -> None:
    assert run_program(KILLED_BEFORE_A_FOLDER_IS_PLACED).returncode == -signal.SIGKILL
    assert [path.name for path in folder.iterdir()] == ["spool"]


def test_folders_placed_concurrently_in_one_parent_all_exist(folder: Path, storage: Folder) -> None:
    start = threading.Barrier(4)

    def place(number: int) -> bool:
        placed = []
        for again in range(50):
            with staging(storage.spool_folder) as stage:
                (stage / "made").mkdir()
                (stage / "made" / "file").write_bytes(b"x")
                start.wait()
                placed.append(storage.place_folder(stage / "made", f"some/{again}/folder/{number}"))
        return all(placed)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(place, range(4))) == [True] * 4
    assert len(list(folder.glob("some/*/folder/*/file"))) == 200


def test_file_from_another_file_system_is_copied_whole(folder: Path, storage: Folder) -> None:
    here = folder.parent.parent.stat().st_dev
    others = [each for each in map(Path, ("/dev/shm", "/var/tmp")) if each.is_dir() and each.stat().st_dev != here]
    if not others:
        pytest.skip("no second file system here")
    source = others[0] / f"cellar-{os.getpid()}"
    source.write_bytes(b"from elsewhere")
    try:
        storage.keep(source, KEY)
    finally:
        source.unlink()

    assert storage.read_bytes(KEY) == b"from elsewhere"


# Prints each fsync and each link of a file to its key, in order.
TRACE = """
import os, pathlib
from adapters.files.spool import spooled
from adapters.files.store import store

def reported(name, original, which):
    def call(*arguments, **named):
        target = arguments[which]
        path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fspath(target)
        print(name, "spooled" if "spool" in path else pathlib.Path(path).name)
        return original(*arguments, **named)
    return call

def keep(data, key):
    with spooled(store().spool_folder) as spool:
        spool.write(data)
        store().keep(pathlib.Path(spool.name), key)

keep(b"first", "made/before")
os.fsync, os.link = reported("fsync", os.fsync, 0), reported("link", os.link, 1)
for _ in range(2):
    keep(b"data", "made/key")
    print("kept")
"""


def test_file_is_kept_only_after_file_and_folder_are_synced(folder: Path) -> None:
    """An existing file is synced too: its writer may have been killed before it synced the folder."""
    lines = run_program(TRACE).stdout.splitlines()

    assert lines == ["fsync spooled", "link key", "fsync made", "kept", "fsync made", "kept"]
    assert (folder / "made" / "key").read_bytes() == b"data"


def test_unwritable_folder_is_transient(folder: Path, storage: Folder) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"a file where the folder should be")

    with pytest.raises(Transient):
        keep(b"x", KEY, storage)


FULL_DISK = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # writes fail as on a full disk
from adapters.files.spool import spooled, write_spooled
from adapters.files.store import store
from models.errors import Transient
try:
    store().overwrite_bytes(bytes(1_500_000), "objects/x")
except Transient:
    print(store().size("objects/x"))
folder = Path(sys.argv[1])
try:
    with spooled(folder) as file:
        write_spooled(file, bytes(1_500_000))
except Transient as error:
    print(error, list(folder.iterdir()))
"""


def test_full_disk_is_transient_and_leaves_no_partial_file(configure: Configure, tmp_path: Path) -> None:
    configure()

    spool = "the spool folder of the store does not take more: File too large []"
    assert run_program(FULL_DISK, tmp_path / "spool").stdout == f"None\n{spool}\n"


def test_existing_file_that_cannot_be_read_is_unreadable(folder: Path, storage: Folder) -> None:
    (folder / "a directory").mkdir(parents=True)
    for name, target in (("to nothing", "nowhere"), ("to itself", "to itself"), ("no memory", "/proc/self/mem")):
        (folder / name).symlink_to(target)

    for each in (storage, Folder(folder, follows_links=True)):
        for name in [path.name for path in folder.iterdir()]:
            with pytest.raises(Unreadable) as found:
                each.read_bytes(name)
            assert (name in str(found.value), name in found.value.in_full()) == (False, True)
            with pytest.raises(Unreadable):
                list(each.chunks(name))
            with pytest.raises(Unreadable), each.opened(name) as stream:
                stream.read()


def test_links_pipes_sockets_and_devices_are_never_followed_or_opened(folder: Path, storage: Folder) -> None:
    """Opening a pipe would wait for a writer."""
    storage.overwrite_bytes(b"elsewhere", KEY)
    (folder / "spool").rmdir()
    (folder / "link").symlink_to(KEY)
    (folder / "linked folder").symlink_to("some")
    (folder / "empty" / "deeper").mkdir(parents=True)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening, chdir(folder):
        listening.bind("socket")

    strange: dict[str, str] = {}
    assert list(storage.listed("", strange)) == [(KEY, 9)]
    assert strange == {
        "link": "a symbolic link",
        "linked folder": "a symbolic link",
        "empty/deeper": EMPTY_FOLDER,
        "pipe": "a pipe",
        "socket": "a socket",
    }
    for name in ("link", "pipe", "socket"):
        with pytest.raises(Unreadable):
            storage.read_bytes(name)
    assert list(storage.listed("linked folder", strange)) == []
    assert Folder(folder, follows_links=True).read_bytes("link") == b"elsewhere"


def test_folder_that_is_reached_through_a_link_works_and_a_removed_one_leaves_no_empty_folder(
    folder: Path, storage: Folder, tmp_path: Path
) -> None:
    storage.overwrite_bytes(b"kept", KEY)
    (tmp_path / "linked").symlink_to(folder)
    linked = Folder(tmp_path / "linked")
    assert (linked.read_bytes(KEY), list(linked.listed(""))) == (b"kept", [(KEY, 4)])

    storage.remove_folder("some")

    assert not (folder / "some").exists()


def test_file_system_that_fails_a_look_is_transient(folder: Path, storage: Folder) -> None:
    """A link to itself fails as a stale mount does: with an error other than "no such file"."""
    folder.mkdir(parents=True)
    (folder / "to itself").symlink_to("to itself")
    (folder / "spooled").write_bytes(b"x")

    with pytest.raises(Transient):
        storage.size("to itself/in it")
    with pytest.raises(Transient):
        storage.keep(folder / "spooled", "to itself/in it")
    with pytest.raises(Transient):
        storage.keep(folder / "to itself", KEY)


def test_error_in_the_reading_block_is_not_reported_as_an_error_of_the_file_which_is_repaired_when_it_is_kept_again(
    folder: Path, storage: Folder
) -> None:
    (folder / KEY).parent.mkdir(parents=True)
    (folder / KEY).write_bytes(b"ha")
    keep(b"whole", KEY, storage)
    assert storage.read_bytes(KEY) == b"whole"

    with pytest.raises(OSError, match="of the reader"), storage.opened(KEY):
        raise OSError("of the reader")


def test_recently_written_file_is_not_at_rest(folder: Path, storage: Folder) -> None:
    now = datetime.now(UTC)
    storage.write(b"1", "report.csv")
    (folder / "folder.csv").mkdir()
    (folder / "link.csv").symlink_to("nowhere")

    assert storage.at_rest(now - timedelta(minutes=1)) == [("link.csv", "")]
    os.utime(folder / "report.csv", (0, 0))
    assert sorted(storage.at_rest(now)) == [("link.csv", ""), ("report.csv", "1 0")]


DIES_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from adapters.files.new_files import new_file

with new_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_write_that_fails_halfway_leaves_nothing_and_replaces_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "a") as file:
        file.write(bytes(1 // 0))
    assert list(tmp_path.iterdir()) == []

    with pytest.raises(Refused, match="FOLDER_MISSING"), new_file(tmp_path / "nowhere" / "a"):
        pass
    with pytest.raises(Refused, match="TARGET_EXISTS"), new_file(tmp_path / "a") as file:
        file.write((tmp_path / "a").write_bytes(b"theirs") * b"x")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"a": b"theirs"}


def test_killed_process_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    assert run_program(DIES_IN_THE_MIDDLE, tmp_path / "a").returncode == -signal.SIGKILL
    assert [each.suffix for each in tmp_path.iterdir()] == [".part"]


def found(*locations: Path) -> dict[str, bytes]:
    files = saved_files([str(each) for each in locations])
    return {each.name: each.stream.read() for file in files for each in payloads(file)}


def test_members_are_read_and_never_unpacked(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as made:
        for name, kind in {"../escaped": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "._fork": tarfile.REGTYPE}.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "/etc/passwd", 4 * (kind == tarfile.REGTYPE)
            made.addfile(member, io.BytesIO(b"text"))

    assert found(tmp_path / "a.tar") == {f"{tmp_path}/a.tar!../escaped": b"text"}
    assert not (tmp_path.parent / "escaped").exists()


def test_member_in_gzip_is_decompressed_and_a_location_of_another_kind_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("__MACOSX/one.json.gz", b"of a file manager")
        made.writestr("one.json.gz", gzip.compress(b"text"))

    assert found(tmp_path) == {f"{tmp_path}/a.zip!one.json.gz": b"text"}
    with pytest.raises(Refused, match="s3://"):
        list(saved_files(["gs://bucket/prefix"]))


@pytest.mark.parametrize(("name", "data"), [("a.zip", b"no zip"), ("a.tgz", b"no gzip"), ("a.json.gz", b"\x1f\x8b")])
def test_damaged_file_and_a_header_that_announces_gigabytes_are_damage(tmp_path: Path, name: str, data: bytes) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    for file, content in ((name, data), ("a.tar", header.tobuf() + bytes(1024))):
        (tmp_path / file).write_bytes(content)
        with pytest.raises(DAMAGE):
            found(tmp_path / file)
