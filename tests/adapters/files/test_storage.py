"""A storage, in a folder and in a bucket, keeps bytes whole, once, and under our own keys."""

import hashlib
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.files.storage import Storage
from adapters.files.store import storage_at
from adapters.platform.durable import open_part
from tests.adapters.files.keeping import keep
from tests.conftest import Configure, bucket_at

KEY = f"some/folder/{'ab' * 32}"


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, configure: Configure, tmp_path: Path) -> Storage:
    """Return an empty storage of each kind."""
    if request.param == "folder":
        return storage_at(str(tmp_path / "storage"))
    configure(**bucket_at(request.getfixturevalue("s3_server")))
    return storage_at(f"s3://archives/{secrets.token_hex(8)}")


@pytest.mark.parametrize("size_bytes", [0, 1, 300_000])
def test_kept_bytes_are_read_back_as_they_are(storage: Storage, tmp_path: Path, size_bytes: int) -> None:
    """smart-open would decompress a name in .gz. Our keys have none, but the key of a result may."""
    data, source = os.urandom(size_bytes), tmp_path / "source"
    source.write_bytes(b"\x1f\x8b\x08 no gzip")

    keep(data, KEY, storage)
    storage.overwrite_bytes(b"before", "results/x.gz")
    storage.overwrite(source, "results/x.gz")

    assert storage.read_bytes(KEY) == data
    assert storage.size(KEY) == size_bytes
    assert b"".join(storage.chunks(KEY)) == data
    assert storage.digest_of(KEY) == hashlib.sha256(data).hexdigest()
    assert storage.read_bytes("results/x.gz") == source.read_bytes() == b"\x1f\x8b\x08 no gzip"


def test_big_file_is_kept_whole_and_can_be_streamed(storage: Storage, tmp_path: Path) -> None:
    data = os.urandom(20_000_000)
    source = tmp_path / "big"
    source.write_bytes(data)

    storage.keep(source, KEY)

    digest = hashlib.sha256()
    with storage.opened(KEY) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    assert digest.digest() == hashlib.sha256(data).digest()
    assert storage.size(KEY) == len(data)
    assert source.read_bytes() == data


def test_missing_key_is_none_or_raises_file_not_found_where_it_is_read(storage: Storage) -> None:
    storage.overwrite_bytes(b"kept", "some/other")
    assert storage.found_bytes("some/other") == b"kept"
    for missing in (KEY, "some/other/below"):
        assert storage.found_bytes(missing) is None
    assert (storage.size(KEY), storage.digest_of(KEY)) == (None, None)
    storage.remove(KEY)
    with pytest.raises(FileNotFoundError), storage.opened(KEY):
        pass
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(KEY)


@pytest.mark.parametrize("size_bytes", [1000, 9_000_000])
def test_two_writers_of_the_same_bytes_both_succeed(storage: Storage, size_bytes: int) -> None:
    data, start = os.urandom(size_bytes), threading.Barrier(2)

    def write(_: int) -> None:
        start.wait()
        keep(data, KEY, storage)

    with ThreadPoolExecutor(2) as writers:
        list(writers.map(write, range(2)))

    assert storage.read_bytes(KEY) == data


def test_exactly_one_of_several_writers_of_a_key_is_first(storage: Storage) -> None:
    with ThreadPoolExecutor(8) as writers:
        won = list(writers.map(lambda number: storage.keep_first(b"%d" % number, KEY), range(8)))

    assert won.count(True) == 1
    assert storage.read_bytes(KEY) == b"%d" % won.index(True)


def test_bytes_are_replaced_or_removed_only_if_as_expected(storage: Storage) -> None:
    assert storage.replace_bytes(None, b"one", KEY)
    assert not storage.replace_bytes(None, b"other", KEY)
    assert not storage.replace_bytes(b"another", b"other", KEY)
    assert storage.replace_bytes(b"one", b"two", KEY)
    assert storage.replace_bytes(b"one", b"two", KEY)  # already replaced
    assert storage.read_bytes(KEY) == b"two"

    assert not storage.remove_same(b"one", KEY)
    assert storage.read_bytes(KEY) == b"two"
    assert storage.remove_same(b"two", KEY)
    assert storage.remove_same(b"two", KEY)  # already removed


def test_everything_below_a_key_is_listed_with_its_size_and_removed_alone(storage: Storage) -> None:
    for key in ("listed/v1/a", "listed/v1/b/c", "listed/v10/a", "listedtoo/a"):
        storage.overwrite_bytes(b"x" * len(key), key)

    assert list(storage.listed("listed")) == [
        (key, len(key)) for key in ("listed/v1/a", "listed/v1/b/c", "listed/v10/a")
    ]
    assert list(storage.listed("nowhere")) == []
    storage.remove("listed/v1/a")
    assert storage.size("listed/v1/a") is None
    for _ in range(2):
        storage.remove_folder("listed")
    assert [key for folder in ("listed", "listedtoo") for key, _ in storage.listed(folder)] == ["listedtoo/a"]


def test_taken_parts_and_written_bytes_are_found_by_name(storage: Storage) -> None:
    assert storage.names("*") == []
    for data in (b"first", b"second of another size"):
        part, descriptor = open_part(storage.part_folder)
        os.write(descriptor, data)
        storage.take(part, descriptor, "taken.body")
        os.close(descriptor)
        storage.write(data, "written.json")
        storage.sync()

        assert not Path(part).exists()
        assert [storage.read_bytes(name) for name in ("taken.body", "written.json")] == [data] * 2
    storage.overwrite_bytes(b"deeper", "folder/a.json")
    storage.write(b"", "0.json")
    assert storage.names("*.json") == ["0.json", "written.json"]
    assert storage.location("0.json").endswith("/0.json")


def test_tag_of_a_file_at_rest_changes_with_its_bytes(storage: Storage) -> None:
    later, tags = datetime.now(UTC) + timedelta(days=1), set[str]()
    storage.overwrite_bytes(b"deeper", "folder/report.csv")
    for data in (b"one", b"another"):
        storage.write(data, "report.csv")
        found = dict(storage.at_rest(later))
        assert list(found) == ["report.csv"]
        assert dict(storage.at_rest(later)) == found
        tags.add(found["report.csv"])

    assert len(tags) == 2
