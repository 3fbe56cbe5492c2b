"""The store, in a folder and in a bucket: whole, once, and under names of our own."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from adapters.files import bucket, store
from adapters.files.spool import remove_leftovers, spooled, staging
from adapters.platform.durable import write_whole
from adapters.platform.settings import Settings, settings
from models.errors import Transient
from tests.conftest import bucket_at

Configure = Callable[..., Settings]
KEY = f"some/folder/{'ab' * 32}"


@pytest.fixture(params=["folder", "bucket"])
def kind(request: pytest.FixtureRequest, configure: Configure) -> str:
    """Settings with an empty store of either kind."""
    if request.param == "bucket":
        prefix = hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
        endpoint = request.getfixturevalue("s3_server")
        configure(store_url=f"s3://archives/{prefix}", **bucket_at(endpoint))
    return str(request.param)


@pytest.fixture
def folder(configure: Configure) -> Path:
    return Path(configure().store_location)


def kept(data: bytes, key: str) -> None:
    with spooled() as spool:
        write_whole(spool, data)
        store.keep(Path(spool.name), key)


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("size_bytes", [0, 1, 300_000])
def test_kept_bytes_are_read_back(size_bytes: int) -> None:
    data = os.urandom(size_bytes)

    store.keep_bytes(data, KEY)

    assert store.read_bytes(KEY) == data
    assert store.stored_size(KEY) == size_bytes


@pytest.mark.usefixtures("kind")
def test_big_file_is_kept_whole_and_read_as_a_stream(tmp_path: Path) -> None:
    data = os.urandom(20_000_000)
    source = tmp_path / "big"
    source.write_bytes(data)

    store.keep(source, KEY)

    digest = hashlib.sha256()
    with store.opened(KEY) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    assert digest.digest() == hashlib.sha256(data).digest()
    assert store.stored_size(KEY) == len(data)
    assert source.read_bytes() == data


@pytest.mark.usefixtures("kind")
def test_missing_key_is_told_as_missing() -> None:
    assert store.stored_size(KEY) is None
    with pytest.raises(FileNotFoundError), store.opened(KEY):
        pass
    with pytest.raises(FileNotFoundError):
        store.read_bytes(KEY)


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("size_bytes", [1000, 9_000_000])
def test_kept_again_it_stays_as_it_is(size_bytes: int) -> None:
    data = os.urandom(size_bytes)

    for _ in range(2):
        kept(data, KEY)

    assert store.read_bytes(KEY) == data


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("size_bytes", [1000, 9_000_000])
def test_two_writers_of_the_same_bytes_both_succeed(size_bytes: int) -> None:
    data = os.urandom(size_bytes)
    start, failed = threading.Barrier(2), list[BaseException]()

    def write() -> None:
        start.wait()
        try:
            kept(data, KEY)
        except BaseException as error:  # noqa: BLE001 -- told to the test's own thread
            failed.append(error)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert failed == []
    assert store.read_bytes(KEY) == data


def test_second_content_never_takes_the_place_of_the_first_in_a_bucket(configure: Configure, s3_server: str) -> None:
    """The other writer comes between our look and our upload: the bucket itself refuses."""
    configure(store_url="s3://archives/once", **bucket_at(s3_server))
    store.keep_bytes(b"first", KEY)

    with pytest.raises(Transient):
        store.keep_bytes(b"another size", KEY)

    assert store.read_bytes(KEY) == b"first"


@pytest.mark.usefixtures("kind")
def test_result_may_be_overwritten() -> None:
    for data in (b"first", b"second", b""):
        store.overwrite_bytes(data, store.result_key("x"))
        assert store.read_bytes(store.result_key("x")) == data


@pytest.mark.usefixtures("kind")
def test_compressed_content_comes_back_as_it_was_sent() -> None:
    """smart-open would unpack what is called .gz; keys have no such names, and a result's may."""
    data = b"\x1f\x8b\x08 no gzip"

    store.overwrite_bytes(data, store.result_key("x.gz"))

    assert store.read_bytes(store.result_key("x.gz")) == data


@pytest.mark.usefixtures("kind")
def test_what_is_missing_is_none_where_it_is_asked_for() -> None:
    store.keep_bytes(b"kept", KEY)

    assert (store.found_bytes(KEY), store.found_bytes("some/other")) == (b"kept", None)


def test_folder_is_placed_whole_and_never_over_another(folder: Path) -> None:
    for name, placed in (("first", True), ("second", False)):
        with staging() as stage:
            (stage / "made").mkdir()
            (stage / "made" / name).write_bytes(name.encode())

            assert store.place_folder(stage / "made", "some/folder") is placed

    assert [path.name for path in (folder / "some" / "folder").iterdir()] == ["first"]
    assert list((folder / "spool").iterdir()) == []


KILLED_BEFORE_A_FOLDER_IS_PLACED = """
import os, signal
from adapters import bucket, store
from adapters.spool import staging

rename = os.rename
def killed(source, target):
    if "spool" not in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)

os.rename = killed
with staging() as stage:
    (stage / "made").mkdir()
    store.place_folder(stage / "made", "some/deep/folder")
"""


def test_writer_killed_before_a_folder_is_placed_leaves_no_empty_one_above_it(folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}

    done = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_A_FOLDER_IS_PLACED], env=environment, capture_output=True, check=False
    )

    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in folder.iterdir()] == ["spool"]


def test_folders_that_are_placed_beside_each_other_at_once_are_all_there(folder: Path) -> None:
    start = threading.Barrier(4)

    def place(number: int) -> bool:
        placed = []
        for again in range(50):
            with staging() as stage:
                (stage / "made").mkdir()
                (stage / "made" / "file").write_bytes(b"x")
                start.wait()
                placed.append(store.place_folder(stage / "made", f"some/{again}/folder/{number}"))
        return all(placed)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(place, range(4))) == [True] * 4
    assert len(list(folder.glob("some/*/folder/*/file"))) == 200


@pytest.mark.usefixtures("kind")
def test_of_several_that_write_the_same_key_one_is_first() -> None:
    won: list[int] = []

    def write(number: int) -> None:
        if store.keep_first(b"%d" % number, KEY):
            won.append(number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(won) == 1
    assert store.read_bytes(KEY) == b"%d" % won[0]


@pytest.mark.usefixtures("kind")
def test_bytes_take_the_place_of_those_that_are_expected_there_and_of_no_others() -> None:
    assert store.replace_bytes(None, b"one", KEY)
    assert not store.replace_bytes(None, b"other", KEY)
    assert not store.replace_bytes(b"another", b"other", KEY)
    assert store.replace_bytes(b"one", b"two", KEY)
    assert store.replace_bytes(b"one", b"two", KEY)  # it is there already
    assert store.read_bytes(KEY) == b"two"

    assert not store.remove_same(b"one", KEY)
    assert store.read_bytes(KEY) == b"two"
    assert store.remove_same(b"two", KEY)
    assert store.remove_same(b"two", KEY)  # nothing lies there


@pytest.mark.parametrize(
    "change", [lambda: store.replace_bytes(b"one", b"ours", KEY), lambda: store.remove_same(b"one", KEY)]
)
def test_bucket_refuses_who_has_looked_before_another_wrote(
    configure: Configure, s3_server: str, monkeypatch: pytest.MonkeyPatch, change: Callable[[], bool]
) -> None:
    configure(store_url=f"s3://archives/{uuid4()}", **bucket_at(s3_server))
    store.overwrite_bytes(b"one", KEY)
    tag_of = bucket._tag_of

    def another_writes(data: bytes, url: str) -> str | None:
        tag = tag_of(data, url)
        store.overwrite_bytes(b"theirs", KEY)
        return tag

    monkeypatch.setattr(bucket, "_tag_of", another_writes)

    assert not change()

    assert store.read_bytes(KEY) == b"theirs"


def test_everything_below_a_key_is_listed_with_its_size(kind: str) -> None:
    for key in ("listed/v1/a", "listed/v1/b/c", "listed/v10/a", "listedtoo/a"):
        store.keep_bytes(b"x" * len(key), key)

    assert list(store.listed("listed")) == [(key, len(key)) for key in ("listed/v1/a", "listed/v1/b/c", "listed/v10/a")]
    assert list(store.listed("nowhere")) == []
    if kind == "bucket":
        store.remove("listed/v1/a")
        assert store.stored_size("listed/v1/a") is None


def test_folder_is_removed_with_all_that_is_in_it_and_nothing_beside_it(kind: str) -> None:
    for key in ("removed/a", "removed/b/c", "removedtoo/a"):
        store.keep_bytes(b"x", key)

    for _ in range(2):
        store.remove_folder("removed")

    assert [key for folder in ("removed", "removedtoo") for key, _ in store.listed(folder)] == ["removedtoo/a"]
    assert store.is_bucket() or not (Path(settings().store_location) / "removed").exists()


def test_spool_and_unfinished_parts_leave_nothing(folder: Path) -> None:
    with spooled() as spool:
        spool.write(b"never kept")
    store.keep_bytes(b"kept", KEY)

    assert [each.name for each in folder.rglob("*") if each.is_file()] == ["ab" * 32]


def test_leftovers_of_a_killed_process_are_removed_and_what_is_in_use_stays(folder: Path) -> None:
    with spooled() as dead, spooled() as living:
        os.utime(dead.name, (0, 0))
        (folder / "spool" / "dead" / "content").mkdir(parents=True)
        os.utime(folder / "spool" / "dead", (0, 0))

        assert remove_leftovers(datetime(2026, 1, 1, tzinfo=UTC)) == 2
        assert [each.name for each in (folder / "spool").iterdir()] == [Path(living.name).name]
        Path(dead.name).touch()  # its block removes it once more


def test_file_of_another_file_system_is_copied_whole(folder: Path) -> None:
    source = Path("/dev/shm") / f"cellar-{os.getpid()}"
    if not source.parent.is_dir() or source.parent.stat().st_dev == folder.parent.parent.stat().st_dev:
        pytest.skip("no second file system here")
    source.write_bytes(b"from elsewhere")
    try:
        store.keep(source, KEY)
    finally:
        source.unlink()

    assert store.read_bytes(KEY) == b"from elsewhere"


def test_damaged_file_in_a_folder_is_put_right_by_keeping_it_again(folder: Path) -> None:
    store.keep_bytes(b"whole", KEY)
    (folder / KEY).unlink()
    (folder / KEY).write_bytes(b"ha")

    store.keep_bytes(b"whole", KEY)

    assert store.read_bytes(KEY) == b"whole"


# Tells each fsync and what shows a file under its key, in order.
TRACE = """
import os, pathlib
from adapters import bucket, store

def told(name, original, which):
    def call(*arguments, **named):
        target = arguments[which]
        path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fspath(target)
        print(name, "spooled" if "spool" in path else pathlib.Path(path).name)
        return original(*arguments, **named)
    return call

store.keep_bytes(b"first", "made/before")
os.fsync, os.link = told("fsync", os.fsync, 0), told("link", os.link, 1)
for _ in range(2):
    store.keep_bytes(b"data", "made/key")
    print("kept")
"""


def test_nothing_counts_as_kept_before_file_and_folder_are_synced(folder: Path) -> None:
    """Also where it is there already: whoever put it there may have been killed before the sync of the folder."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}

    done = subprocess.run([sys.executable, "-c", TRACE], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [
        "fsync spooled",
        "link key",
        "fsync made",
        "kept",
        "fsync made",
        "kept",
    ]
    assert (folder / "made" / "key").read_bytes() == b"data"


def test_folder_that_takes_nothing_is_transient(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"a file where the folder should be")

    with pytest.raises(Transient):
        store.keep_bytes(b"x", KEY)


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # a disk that takes no more, as far as writes go
from adapters import bucket, store
from models.errors import Transient
try:
    store.keep_bytes(bytes(1_500_000), "objects/x")
except Transient:
    print(store.stored_size("objects/x"))
"""


def test_disk_that_fills_up_is_transient_and_leaves_no_half(configure: Configure) -> None:
    configure()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "None\n"


@contextmanager
def breaking_off(endpoint: str, answers: int) -> Iterator[str]:
    """A way to a server that breaks off the first answers after a million bytes."""
    port = int(endpoint.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        passing = threading.Thread(target=_pass, args=(listener, port, answers))
        passing.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        passing.join()


def _pass(listener: socket.socket, port: int, broken: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            server.settimeout(1)  # the server keeps the connection open after its answer
            server.sendall(client.recv(1 << 16))
            left = 1_000_000 if broken > 0 else 1 << 30
            broken -= 1
            with suppress(TimeoutError):
                while left > 0 and (data := server.recv(min(left, 1 << 16))):
                    client.sendall(data)
                    left -= len(data)


def test_read_that_breaks_off_goes_on_where_it_stopped(configure: Configure, s3_server: str) -> None:
    configure(store_url="s3://archives/broken-once", **bucket_at(s3_server))
    data = os.urandom(3_000_000)
    store.keep_bytes(data, KEY)

    with breaking_off(s3_server, answers=1) as endpoint:
        configure(AWS_ENDPOINT_URL=endpoint)
        assert store.read_bytes(KEY) == data


@pytest.mark.faults  # smart-open tries for 31 s
def test_bucket_that_always_breaks_off_is_transient(configure: Configure, s3_server: str) -> None:
    configure(store_url="s3://archives/broken", **bucket_at(s3_server))
    store.keep_bytes(bytes(9_000_000), KEY)

    with breaking_off(s3_server, answers=100) as endpoint:
        configure(AWS_ENDPOINT_URL=endpoint)
        with pytest.raises(Transient):
            store.read_bytes(KEY)


@pytest.mark.parametrize(
    "call",
    [
        lambda: store.stored_size(KEY),
        lambda: store.read_bytes(KEY),
        lambda: store.keep_bytes(b"x", KEY),
        lambda: store.overwrite_bytes(b"x", KEY),
    ],
    ids=["size", "read", "keep", "overwrite"],
)
def test_bucket_that_is_down_is_transient(configure: Configure, call: Callable[[], object]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        configure(store_url="s3://archives/x", **bucket_at(f"http://127.0.0.1:{unused.getsockname()[1]}"))

        with pytest.raises(Transient):
            call()


def test_bucket_that_refuses_us_is_transient(configure: Configure, s3_server: str) -> None:
    configure(**{"CELLAR_STORE_URL": "s3://archives/x"} | bucket_at(s3_server) | {"AWS_SECRET_ACCESS_KEY": "wrong"})

    with pytest.raises(Transient):
        store.keep_bytes(b"x", KEY)
    with pytest.raises(Transient):
        store.read_bytes(KEY)


def test_bucket_has_nothing_outside_its_prefix(configure: Configure, s3_server: str) -> None:
    configure(store_url="s3://archives/a-prefix/of-two/", **bucket_at(s3_server))

    store.keep_bytes(json.dumps({}).encode(), KEY)

    listed = boto3.client("s3").list_objects_v2(Bucket="archives", Prefix="a-prefix/of-two")
    assert [each["Key"] for each in listed["Contents"]] == [f"a-prefix/of-two/{KEY}"]
