"""Objects in buckets, by their URLs (`s3://BUCKET/KEY`). What a bucket says becomes our own errors here.

No call is tried again but in a `patient` block: a retry belongs to the sender, the sweep or the flow's tasks.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from models.errors import Transient, Unreadable

_PART_SIZE_BYTES = 8 << 20
_COPY_BYTES = 1 << 20
_MOST_CONNECTIONS = 64
_MAKING = Lock()
_CONDITION_FAILED = {"PreconditionFailed", "NoSuchKey"}
_REFUSED = {"403", "AccessDenied", "InvalidObjectState"}
_ATTEMPTS = ContextVar("attempts", default=1)
_PATIENT_ATTEMPTS = 4


def is_bucket(location: str) -> bool:
    return "://" in location


def size(url: str) -> int | None:
    """Bytes of an object, None where there is none.

    Raises:
        Transient: the bucket does not answer, or refuses to.
    """
    try:
        size_bytes: int = client().head_object(**_bucket_and_key(url))["ContentLength"]
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise _transient("tell of", url, error) from error
    except BotoCoreError as error:
        raise _transient("tell of", url, error) from error
    return size_bytes


def upload(source: Path, url: str, *, once: bool) -> None:
    """Put a file under `url`: it appears whole when it is complete. With `once`, what is there stays as it is.

    Memory stays flat: what smart-open has to hold is held beside the file.

    Raises:
        Transient: the bucket does not take it now, or has something of another size there already.
    """
    small = source.stat().st_size <= _PART_SIZE_BYTES
    final_call = "S3.Client.put_object" if small else "S3.Client.complete_multipart_upload"
    transport = {"client": client(), "multipart_upload": not small, "min_part_size": _PART_SIZE_BYTES}
    if once:
        transport["client_kwargs"] = {final_call: {"IfNoneMatch": "*"}}
    try:
        with (
            source.open("rb") as original,
            TemporaryFile(dir=source.parent) as held,
            _smart_open()(
                url, "wb", compression="disable", transport_params=transport | {"writebuffer": held}
            ) as target,
        ):
            shutil.copyfileobj(original, target, _COPY_BYTES)
    except (ValueError, OSError, ClientError, BotoCoreError) as error:
        # Another writer of the same may have been first, which smart-open reports as a ValueError.
        if not once or size(url) != source.stat().st_size:
            raise _transient("take", url, error) from error


def write(data: bytes, url: str) -> None:
    """Put a few bytes under `url`, in place of what is there.

    Raises:
        Transient: the bucket does not take them now.
    """
    with _ours("take", url):
        client().put_object(**_bucket_and_key(url), Body=data)


def write_first(data: bytes, url: str) -> bool:
    """Put a few bytes under `url` if nothing is there, and return whether that was so.

    Raises:
        Transient: the bucket does not take them now.
    """
    return _is_done("take", url, lambda to: client().put_object(**to, Body=data, IfNoneMatch="*"))


def replace(before: bytes, data: bytes, url: str) -> bool:
    """Put a few bytes under `url` in place of others, if it is those that are there, and return whether it was.

    Raises:
        Transient: the bucket does not take them now.
    """
    tag = _tag_of(before, url)
    return tag is not None and _is_done("take", url, lambda to: client().put_object(**to, Body=data, IfMatch=tag))


def remove_same(data: bytes, url: str) -> bool:
    """Remove an object, if it holds these few bytes, and return whether it did.

    Raises:
        Transient: the bucket does not answer, or refuses to.
    """
    tag = _tag_of(data, url)
    return tag is not None and _is_done("remove", url, lambda to: client().delete_object(**to, IfMatch=tag))


def _tag_of(data: bytes, url: str) -> str | None:
    """The tag of an object that holds these bytes; None where there is none, or another."""
    try:
        with _ours("give", url):
            answer = client().get_object(**_bucket_and_key(url))
            return str(answer["ETag"]) if answer["Body"].read() == data else None
    except Transient as error:
        if error.__cause__ and _reason(error.__cause__) == "NoSuchKey":
            return None
        raise


def _is_done(verb: str, url: str, call: Callable[[dict[str, str]], Any]) -> bool:
    """Make a call with a condition, and return whether that held."""
    try:
        with _ours(verb, url):
            call(_bucket_and_key(url))
    except Transient as error:
        if error.__cause__ and _reason(error.__cause__) in _CONDITION_FAILED:
            return False
        raise
    return True


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """An object as a stream.

    Raises:
        FileNotFoundError: there is none.
        Transient: the bucket does not answer, or breaks off for good.
    """
    try:
        stream = _smart_open()(url, "rb", compression="disable", transport_params={"client": client()})
    except (OSError, ClientError, BotoCoreError) as error:
        # smart-open wraps whatever the bucket says of a missing key.
        if size(url) is None:
            raise FileNotFoundError(f"nothing lies under {_bucket_and_key(url)['Key']}") from error
        raise _transient("give", url, error) from error
    try:
        with stream:
            yield stream
    except (OSError, ClientError, BotoCoreError) as error:
        raise _transient("give", url, error) from error


def read(url: str) -> bytes:
    with opened(url) as stream:
        return stream.read()


def names(folder_url: str) -> Iterator[str]:
    """The names of the objects right below a URL, in no order that holds.

    Raises:
        Transient: the bucket does not answer, or refuses to.
    """
    return (name for name, _ in versions(folder_url))


def versions(folder_url: str) -> Iterator[tuple[str, str]]:
    """The names of the objects right below a URL, each with a tag that changes when the object does.

    Raises:
        Transient: the bucket does not answer, or refuses to.
    """
    bucket, prefix = _bucket_and_key(f"{folder_url}/").values()
    with _ours("list", folder_url):
        for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
            for each in page.get("Contents", []):
                yield each["Key"].removeprefix(prefix), each["ETag"]


def listed(home_url: str, folder: str) -> Iterator[tuple[str, int]]:
    """The keys of all objects in a folder below a URL, as they go on behind the URL, in order, with sizes in bytes.

    Raises:
        Transient: the bucket does not answer, or refuses to.
    """
    bucket, home = _bucket_and_key(home_url).values()
    with _ours("list", home_url):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{home}{folder}/")
        for page in pages:
            for each in page.get("Contents", []):
                yield each["Key"].removeprefix(home), each["Size"]


def remove(url: str) -> None:
    """Remove an object; where there is none, nothing happens.

    Raises:
        Transient: the bucket does not answer, or refuses to.
    """
    with _ours("remove", url):
        client().delete_object(**_bucket_and_key(url))


def client() -> Any:
    """The client of this process, for all its threads. It takes 0.1 s to make, so it is made by one of them."""
    with _MAKING:
        return _client(_ATTEMPTS.get())


@contextmanager
def patient() -> Iterator[None]:
    """A block in which calls are tried again, a few times and ever later: for long work that nobody begins anew.

    Where the store is a folder, it does nothing.
    """
    token = _ATTEMPTS.set(_PATIENT_ATTEMPTS)
    try:
        yield
    finally:
        _ATTEMPTS.reset(token)


@lru_cache
def _smart_open() -> Callable[..., BinaryIO]:
    """It takes 0.2 s to import with boto3, which a command with a store on disk need not wait for."""
    import smart_open.s3  # noqa: PLC0415

    # It would try for a minute by itself, in a thread that other bodies wait for.
    smart_open.s3.RETRY.exceptions, smart_open.s3.RETRY.client_error_codes = [], []
    return smart_open.open


@lru_cache
def _client(attempts: int) -> Any:
    import boto3  # noqa: PLC0415 -- as above
    from botocore.config import Config  # noqa: PLC0415

    retries = {"total_max_attempts": attempts, "mode": "standard"}
    config = Config(retries=retries, connect_timeout=10, read_timeout=60, max_pool_connections=_MOST_CONNECTIONS)
    return boto3.Session().client("s3", config=config)


def _bucket_and_key(url: str) -> dict[str, str]:
    bucket, _, key = url.partition("://")[2].partition("/")
    return {"Bucket": bucket, "Key": key}


@contextmanager
def _ours(verb: str, url: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _transient(verb, url, error) from error


def _transient(verb: str, url: str, error: Exception) -> Transient:
    key, reason = _bucket_and_key(url)["Key"], _reason(error)
    if verb in ("tell of", "give") and reason in _REFUSED:
        return Unreadable(key, reason)
    return Transient(f"the bucket does not {verb} {key}: {reason}")


def _reason(error: BaseException) -> str:
    """The bucket's own code where it gave one; smart-open wraps it."""
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return _reason(error.__cause__) if error.__cause__ else type(error).__name__
