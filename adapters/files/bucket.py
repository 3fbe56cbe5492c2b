"""A storage in a bucket, below a URL like s3://BUCKET/PREFIX. Errors of the bucket become our own errors here.

Calls are retried only in a `patient` block: otherwise a retry belongs to the sender, the sweep or the flow's tasks.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from adapters.files.storage import LocalFolder, R, Storage
from adapters.platform.cancellation import at_once
from adapters.settings.settings import settings
from models.errors import System, Transient, Unreadable, WrongUse
from models.said import Said, Sentence

_PART_SIZE_BYTES = 8 << 20
_COPY_BYTES = 1 << 20
_MOST_CONNECTIONS = 64
_LOCKED = ("archives/", "anchors/", "settlements/", "events/", "access/")
_MAKING = Lock()
_NOT_SO = {"404", "NoSuchKey", "PreconditionFailed"}
_REFUSED = {"403", "AccessDenied", "InvalidObjectState"}
_ENCRYPTIONS = {"aws:kms": "SSE-KMS", "aws:kms:dsse": "DSSE-KMS", "AES256": "SSE-S3"}
_WHAT_TO_DO = {
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "ProfileNotFound": "check AWS_PROFILE",
    "EndpointConnectionError": "nothing listens there; check AWS_ENDPOINT_URL and the network",
    "NoRegionError": "set AWS_REGION",
    "NoSuchBucket": "check the bucket's name in CELLAR_STORE_URL, CELLAR_INBOX_URL and CELLAR_SETTLEMENTS_URL",
    "InvalidAccessKeyId": "check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY",
    "403": "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights of this user",
    "AccessDenied": "grant this user the rights to list, read, write and delete objects",
}
_ATTEMPTS = ContextVar("attempts", default=1)
_PATIENT_ATTEMPTS = 4


@dataclass(frozen=True)
class Bucket(Storage):
    url: str
    worth_a_thread_bytes = 0

    @property
    def spool_folder(self) -> Path:
        """The spool in the data folder. Never synced: a file is durable once it is in the bucket."""
        return settings().spool_dir

    part_folder = spool_folder

    def location(self, key: str) -> str:
        return f"{self.url}/{key}"

    def encryption(self) -> Said:
        bucket = self._at("")["Bucket"]
        try:
            found = client().get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        except (ClientError, BotoCoreError) as error:
            if _reason(error) == "ServerSideEncryptionConfigurationNotFoundError":
                return Sentence.unencrypted_bucket(bucket=bucket)
            return Sentence.bucket_encryption_unknown(bucket=bucket, reason=_reason(error))
        by = found[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
        return Sentence.encrypted_bucket(bucket=bucket, by=_ENCRYPTIONS.get(by, by))

    def size(self, key: str) -> int | None:
        found = self._asked("describe", key, lambda at: client().head_object(**at))
        return found["ContentLength"] if found else None

    def opened(self, key: str) -> AbstractContextManager[BinaryIO]:
        return self._opened_at(0, key)

    @contextmanager
    def _opened_at(self, place: int, key: str) -> Iterator[BinaryIO]:
        """Open a file to be read from a place on. smart-open resumes a read that breaks off."""
        transport = {"client": client(), "defer_seek": place > 0}  # or it would begin at 0 and stop again
        try:
            stream = _smart_open()(self.location(key), "rb", compression="disable", transport_params=transport)
        except (OSError, ClientError, BotoCoreError) as error:
            # smart-open wraps the bucket's error for a missing key.
            if self.size(key) is None:
                raise FileNotFoundError(f"nothing lies under {key}") from error
            raise _transient("return", key, error) from error
        try:
            with stream:
                if place:
                    stream.seek(place)
                yield stream
        except (OSError, ClientError, BotoCoreError) as error:
            raise _transient("return", key, error) from error

    def chunks(self, key: str) -> Iterator[bytes]:
        answer = self._asked("return", key, lambda at: client().get_object(**at))
        if answer is None:
            raise FileNotFoundError(f"nothing lies under {key}")
        sent = 0
        try:
            with closing(answer["Body"]) as stream:
                for chunk in stream.iter_chunks(_COPY_BYTES):
                    yield chunk
                    sent += len(chunk)
        except BotoCoreError:  # the connection broke
            with self._opened_at(sent, key) as stream:
                while chunk := stream.read(_COPY_BYTES):
                    yield chunk

    def read_ahead(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}

        def read(key: str) -> None:
            with suppress(FileNotFoundError, Unreadable):
                found[key] = self.read_bytes(key)

        self.do_all(*(partial(read, key) for key in keys))
        return found

    def do_all(self, *works: Callable[[], Any]) -> list[Any]:
        return at_once(*works)

    def listed(self, key: str, strange: dict[str, str] | None = None) -> Iterator[tuple[str, int]]:
        return ((each, found["Size"]) for each, found in self._found_below(f"{key}/" if key else ""))

    def names(self, pattern: str) -> list[str]:
        return sorted(name for name, _ in self._found_below("", Delimiter="/") if fnmatchcase(name, pattern))

    def at_rest(self, until: datetime) -> list[tuple[str, str]]:
        return [(name, found["ETag"]) for name, found in self._found_below("", Delimiter="/")]

    def keep(self, source: Path, key: str) -> None:
        size_bytes = source.stat().st_size
        if size_bytes <= _PART_SIZE_BYTES or self.size(key) != size_bytes:
            self._upload(source, key, once=True)

    def keep_first(self, data: bytes, key: str) -> bool:
        lock = self._lock(key)
        return bool(self._asked("store", key, lambda at: client().put_object(**at, **lock, Body=data, IfNoneMatch="*")))

    def overwrite(self, source: Path, key: str) -> None:
        self._upload(source, key, once=False)

    def overwrite_bytes(self, data: bytes, key: str) -> None:
        with _ours("store", key):
            client().put_object(**self._at(key), Body=data)

    write = overwrite_bytes

    def replace_bytes(self, before: bytes | None, data: bytes, key: str) -> bool:
        if before is None and self.keep_first(data, key):
            return True
        found, tag = self._found_with_tag(key)
        if found == data or found is None or found != before:
            return found == data
        return bool(self._asked("store", key, lambda at: client().put_object(**at, Body=data, IfMatch=tag)))

    def remove(self, key: str) -> None:
        with _ours("remove", key):
            client().delete_object(**self._at(key))

    def remove_folder(self, key: str) -> None:
        self.remove_all(each for each, _ in self.listed(key))

    def remove_same(self, data: bytes, key: str) -> bool:
        found, tag = self._found_with_tag(key)
        if found != data:
            return found is None
        return bool(self._asked("remove", key, lambda at: client().delete_object(**at, IfMatch=tag)))

    def erase(self, key: str) -> datetime | None:
        """Leave the delete marker of a locked version, or the version would be served again."""
        if self.size(key) is not None:
            self.remove(key)
        self.remove_folder(key)
        kept = {each["Key"]: until for each in self._versions(key) if (until := self._erased(each))}
        for each in self._versions(key, "DeleteMarkers"):
            if each["Key"] not in kept or not each["IsLatest"]:
                self._erased(each)
        return max(kept.values(), default=None)

    def erase_earlier(self, key: str) -> datetime | None:
        earlier = [*self._versions(key), *self._versions(key, "DeleteMarkers")]
        kept = [until for each in earlier if not each["IsLatest"] and (until := self._erased(each))]
        return max(kept, default=None)

    def locked_until(self, key: str) -> datetime | None:
        found = self._asked("describe", key, lambda at: client().head_object(**at))
        return found.get("ObjectLockRetainUntilDate") if found else None

    def _versions(self, key: str, kind: str = "Versions") -> list[dict[str, Any]]:
        """Return the bucket's entries for the versions of a key, and of all keys below it."""
        at = self._at(key)
        with _ours("list", key):
            pages = client().get_paginator("list_object_versions").paginate(Bucket=at["Bucket"], Prefix=at["Key"])
            found = [{"Bucket": at["Bucket"], **each} for page in pages for each in page.get(kind, [])]
        return [each for each in found if f"{each['Key']}/".startswith(f"{at['Key']}/")]

    def _erased(self, version: dict[str, Any]) -> datetime | None:
        """Remove a version; return until when a lock forbids that. Raises Transient if anything else forbids it."""
        its = {name: version[name] for name in ("Bucket", "Key", "VersionId")}
        try:
            with _ours("remove", version["Key"]):
                client().delete_object(**its)
        except Transient as error:
            if error.__cause__ is None or _reason(error.__cause__) not in _REFUSED:
                raise
            with _ours("describe", version["Key"]):
                until: datetime | None = client().head_object(**its).get("ObjectLockRetainUntilDate")
            if until is None:
                raise
            return until
        return None

    def take(self, part: str, descriptor: int, key: str, record: tuple[str, bytes] | None = None) -> None:
        """Keep bytes of the part's size, since they are the same. Bytes of another size are damaged: repair them."""
        try:
            self.keep(Path(part), key)
        except Transient:
            if self.size(key) is None:
                raise
            self.overwrite(Path(part), key)
        Path(part).unlink()
        if record:
            self.write(record[1], record[0])

    def sync(self) -> None:
        """Do nothing: an upload is durable once the bucket has answered."""

    def suited(self, folder: Callable[[LocalFolder], R], bucket: Callable[[Storage], R]) -> R:
        return bucket(self)

    def _at(self, key: str) -> dict[str, str]:
        bucket, _, in_bucket = self.location(key).partition("://")[2].partition("/")
        return {"Bucket": bucket, "Key": in_bucket}

    def _lock(self, key: str) -> dict[str, Any]:
        """Return the retention of a write-once file of the store: of contents, inventories of versions, and anchors.

        Files that cellar replaces are written by other calls.
        """
        days = settings().store_lock_days
        if not days or self.url != settings().store_location or not key.startswith(_LOCKED):
            return {}
        until = datetime.now(UTC) + timedelta(days=days)
        return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}

    def _found_below(self, prefix: str, **options: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the key of each object whose key begins with `prefix`, and the bucket's entry for it."""
        bucket, in_bucket = self._at(prefix).values()
        home_length = len(in_bucket) - len(prefix)
        with _ours("list", prefix or self.url):
            pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=in_bucket, **options)
            for page in pages:
                for each in page.get("Contents", []):
                    yield each["Key"][home_length:], each

    def _upload(self, source: Path, key: str, *, once: bool) -> None:
        """Put a file under a key. With `once`, an existing object stays, and must have the same size.

        Memory stays flat: a small file is sent from the disk, a large one in parts.
        """
        is_small = source.stat().st_size <= _PART_SIZE_BYTES
        try:
            (self._upload_whole if is_small else self._upload_parts)(source, key, once=once)
        except (ValueError, OSError, ClientError, BotoCoreError) as error:
            # Another writer of the same bytes may have been first, which smart-open reports as a ValueError.
            if not once or self.size(key) != source.stat().st_size:
                raise _transient("store", key, error) from error

    def _upload_whole(self, source: Path, key: str, *, once: bool) -> None:
        only_first = {"IfNoneMatch": "*"} | self._lock(key) if once else {}
        with source.open("rb") as original:
            client().put_object(**self._at(key), **only_first, Body=original)

    def _upload_parts(self, source: Path, key: str, *, once: bool) -> None:
        """Upload a file in parts. smart-open's buffer is a temporary file beside `source`."""
        transport = {"client": client(), "min_part_size": _PART_SIZE_BYTES}
        if once:
            transport["client_kwargs"] = {
                "S3.Client.create_multipart_upload": self._lock(key),
                "S3.Client.complete_multipart_upload": {"IfNoneMatch": "*"},
            }
        with source.open("rb") as original, TemporaryFile(dir=source.parent) as held:
            options = {"compression": "disable", "transport_params": transport | {"writebuffer": held}}
            with _smart_open()(self.location(key), "wb", **options) as target:
                shutil.copyfileobj(original, target, _COPY_BYTES)

    def _found_with_tag(self, key: str) -> tuple[bytes | None, str]:
        """Return the bytes under a key and their tag; None and an empty tag if the key does not exist."""

        def found(at: dict[str, str]) -> tuple[bytes, str]:
            answer = client().get_object(**at)
            return answer["Body"].read(), answer["ETag"]

        return self._asked("return", key, found) or (None, "")

    def _asked(self, verb: str, key: str, call: Callable[[dict[str, str]], Any]) -> Any:
        """Make a call and return its answer. Return None if the key does not exist or a condition is not met."""
        try:
            with _ours(verb, key):
                return call(self._at(key))
        except Transient as error:
            if error.__cause__ and _reason(error.__cause__) in _NOT_SO:
                return None
            raise


def client() -> Any:
    """Return the client of this process, for all its threads. It takes 0.1 s to make, so only one thread makes it."""
    with _MAKING:
        return _client(_ATTEMPTS.get())


def for_other_programs() -> dict[str, str]:
    """Return the variables by which another program has the credentials and the region of this process."""
    import boto3  # noqa: PLC0415 -- slow

    found = boto3.Session().get_credentials()
    if found is None:
        raise WrongUse(f"no credentials of the bucket are set; {_WHAT_TO_DO['NoCredentialsError']}")
    key = found.get_frozen_credentials()
    made = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key}
    made |= {"AWS_SESSION_TOKEN": key.token, "AWS_DEFAULT_REGION": client().meta.region_name}
    return {name: value for name, value in made.items() if value}


@contextmanager
def patient() -> Iterator[None]:
    """Retry calls in the block, with growing pauses and at most 4 attempts: for long work that is not restarted.

    It does nothing if no storage is a bucket.
    """
    token = _ATTEMPTS.set(_PATIENT_ATTEMPTS)
    try:
        yield
    finally:
        _ATTEMPTS.reset(token)


@lru_cache
def _smart_open() -> Callable[..., BinaryIO]:
    """Import smart-open. With boto3 this takes 0.2 s, which commands with a store on disk do not need."""
    import smart_open.s3  # noqa: PLC0415

    # By itself it would retry for a minute, in a thread that other bodies wait for.
    smart_open.s3.RETRY.exceptions, smart_open.s3.RETRY.client_error_codes = [], []
    return smart_open.open


@lru_cache
def _client(attempts: int) -> Any:
    import boto3  # noqa: PLC0415 -- as above
    from botocore.config import Config  # noqa: PLC0415
    from botocore.handlers import add_expect_header  # noqa: PLC0415

    retries = {"total_max_attempts": attempts, "mode": "standard"}
    config = Config(retries=retries, connect_timeout=10, read_timeout=60, max_pool_connections=_MOST_CONNECTIONS)
    try:
        made = boto3.Session().client("s3", config=config)
    except ValueError as error:
        raise WrongUse("AWS_ENDPOINT_URL: expected a URL like https://HOST:PORT") from error
    made.meta.events.unregister("before-call.s3", add_expect_header)  # it would ask before each upload whether it may
    return made


@contextmanager
def _ours(verb: str, key: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _transient(verb, key, error) from error


def _transient(verb: str, key: str, error: Exception) -> Transient:
    reason = _reason(error)
    text = Sentence[f"storage_{verb}"](storage=Sentence.the_bucket(), reason=reason)
    failed = Transient(text, system=System.STORE, key=key)
    if verb in ("describe", "return") and reason in _REFUSED:
        failed = Unreadable(key, reason)
    if reason in _WHAT_TO_DO:
        failed.add_note(_WHAT_TO_DO[reason])
    return failed


def _reason(error: BaseException) -> str:
    """Return the bucket's error code, which smart-open may have wrapped; else the class of the innermost error."""
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return _reason(error.__cause__) if error.__cause__ else type(error).__name__
