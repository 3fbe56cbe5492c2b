"""A bucket keeps objects whole and once, locks them, and takes uploads from a bounded spool."""

import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from adapters.files.bucket import Bucket, client
from adapters.files.spool import remove_leftovers, spooled, staging
from adapters.files.store import store
from models.errors import Transient
from models.said import Sentence
from tests.adapters.files.keeping import keep
from tests.conftest import Configure, bucket_at
from tests.installations import closed_url

KEY = f"some/folder/{'ab' * 32}"


@pytest.fixture
def storage(configure: Configure, s3_server: str) -> Bucket:
    configure(**bucket_at(s3_server))
    return Bucket(f"s3://archives/{secrets.token_hex(8)}")


def test_second_content_never_replaces_the_first_and_small_files_are_read_ahead(storage: Bucket) -> None:
    """The bucket itself refuses, even if another writer comes between our check and our upload."""
    keep(b"first", KEY, storage)

    with pytest.raises(Transient):
        keep(b"another size", KEY, storage)

    storage.overwrite_bytes(b"second", f"{KEY}-2")
    assert storage.read_ahead([KEY, f"{KEY}-2", f"{KEY}-3"]) == {KEY: b"first", f"{KEY}-2": b"second"}


@pytest.mark.parametrize(
    ("change", "call"),
    [
        (lambda storage: storage.replace_bytes(b"one", b"ours", KEY), "PutObject"),
        (lambda storage: storage.remove_same(b"one", KEY), "DeleteObject"),
    ],
    ids=["replace", "remove"],
)
def test_bucket_refuses_a_change_based_on_an_outdated_read(
    storage: Bucket, change: Callable[[Bucket], bool], call: str
) -> None:
    storage.overwrite_bytes(b"one", KEY)
    others = iter([b"theirs"])

    def another_writes(**_: object) -> None:
        for data in others:
            storage.overwrite_bytes(data, KEY)

    client().meta.events.register(f"before-call.s3.{call}", another_writes)

    assert not change(storage)

    assert storage.read_bytes(KEY) == b"theirs"


@contextmanager
def breaking_off(endpoint: str, answers: int) -> Iterator[str]:
    """Yield the URL of a proxy that breaks off the first `answers` answers after a million bytes."""
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


@pytest.mark.parametrize(
    ("size_bytes", "answers"),
    # smart-open pauses for a second before each of eight resumptions
    [(3_000_000, 1), pytest.param(9_000_000, 100, marks=pytest.mark.faults)],
)
def test_broken_read_resumes_where_it_stopped_as_long_as_it_makes_progress(
    configure: Configure, storage: Bucket, s3_server: str, size_bytes: int, answers: int
) -> None:
    data = os.urandom(size_bytes)
    storage.overwrite_bytes(data, KEY)

    with breaking_off(s3_server, answers) as endpoint:
        configure(AWS_ENDPOINT_URL=endpoint)
        assert storage.read_bytes(KEY) == data


@pytest.mark.parametrize("call", ["size", "read", "keep", "overwrite", "replace"])
def test_bucket_that_is_down_is_transient(configure: Configure, call: str) -> None:
    configure(**bucket_at(closed_url()))
    storage = Bucket("s3://archives/x")
    calls: dict[str, Callable[[], object]] = {
        "size": lambda: storage.size(KEY),
        "read": lambda: storage.read_bytes(KEY),
        "keep": lambda: keep(b"x", KEY, storage),
        "overwrite": lambda: storage.overwrite_bytes(b"x", KEY),
        "replace": lambda: storage.replace_bytes(None, b"x", KEY),
    }

    with pytest.raises(Transient):
        calls[call]()


def test_bucket_that_refuses_the_credentials_is_transient(configure: Configure, storage: Bucket) -> None:
    configure(AWS_SECRET_ACCESS_KEY="wrong")

    for call in (lambda: keep(b"x", KEY, storage), lambda: storage.read_bytes(KEY)):
        with pytest.raises(Transient):
            call()


def test_bucket_keys_stay_below_the_prefix(configure: Configure, s3_server: str) -> None:
    location = configure(store_url="s3://archives/a-prefix/of-two/", **bucket_at(s3_server)).store_location

    Bucket(location).overwrite_bytes(json.dumps({}).encode(), KEY)

    listed = boto3.client("s3").list_objects_v2(Bucket="archives", Prefix="a-prefix/of-two")
    assert [each["Key"] for each in listed["Contents"]] == [f"a-prefix/of-two/{KEY}"]


@pytest.fixture
def locked(configure: Configure, s3_server: str) -> tuple[Any, str]:
    name = f"locked-{secrets.token_hex(4)}"
    configure(store_url=f"s3://{name}/store", store_lock_days=1, **bucket_at(s3_server))
    client = boto3.Session("cellar-test", "cellar-test-secret", region_name="us-east-1").client(
        "s3", endpoint_url=s3_server
    )
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return client, name


def test_what_is_written_once_is_locked(locked: tuple[Any, str]) -> None:
    client, name = locked
    keep(b"content", "archives/a/v1/content/small", store())
    keep(bytes(20 << 20), "archives/a/v1/content/large", store())
    assert store().keep_first(b"{}", "archives/a/v1/inventory.json")
    store().overwrite_bytes(b"{}", "archives/a/inventory.json")
    store().overwrite_bytes(b"[]", "archives/a/inventory.json")

    for key in ("v1/content/small", "v1/content/large", "v1/inventory.json"):
        found = client.head_object(Bucket=name, Key=f"store/archives/a/{key}")
        assert found["ObjectLockMode"] == "COMPLIANCE", key
        with pytest.raises(ClientError):
            client.delete_object(Bucket=name, Key=f"store/archives/a/{key}", VersionId=found["VersionId"])
    assert "ObjectLockMode" not in client.head_object(Bucket=name, Key="store/archives/a/inventory.json")
    assert store().read_bytes("archives/a/inventory.json") == b"[]"


def test_bucket_says_how_it_encrypts_as_far_as_it_is_known(configure: Configure, locked: tuple[Any, str]) -> None:
    client, name = locked
    assert store().encryption() == Sentence.unencrypted_bucket(bucket=name)
    for algorithm, by in (("aws:kms", "SSE-KMS"), ("AES256", "SSE-S3")):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
        client.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        assert store().encryption() == Sentence.encrypted_bucket(bucket=name, by=by)
    configure(**bucket_at(closed_url()))
    found = Bucket("s3://archives/x").encryption()
    assert found == Sentence.bucket_encryption_unknown(bucket="archives", reason="EndpointConnectionError")


Block = Callable[[Path], AbstractContextManager[object]]


@pytest.mark.parametrize("block", [spooled, staging])
def test_error_of_the_block_is_raised_unchanged_and_leaves_nothing_and_one_of_the_folder_is_transient(
    block: Block, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError) as raised, block(tmp_path):
        raise FileNotFoundError
    assert type(raised.value) is FileNotFoundError
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "spool").write_bytes(b"a file where the folder should be")
    with pytest.raises(Transient, match="the spool folder of the store does not take more: File exists"):
        block(tmp_path / "spool").__enter__()


def test_leftovers_are_removed_and_files_in_use_are_kept(tmp_path: Path) -> None:
    with spooled(tmp_path) as dead, spooled(tmp_path) as living:
        os.utime(dead.name, (0, 0))
        (tmp_path / "dead" / "content").mkdir(parents=True)
        os.utime(tmp_path / "dead", (0, 0))

        assert remove_leftovers(tmp_path, datetime(2026, 1, 1, tzinfo=UTC)) == 2
        assert [each.name for each in tmp_path.iterdir()] == [Path(living.name).name]
        Path(dead.name).touch()  # because its block removes the file at its end
