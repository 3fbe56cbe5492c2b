"""The inbox, in a folder and in a bucket, keeps each accepted body once and nothing of discarded bodies."""

import hashlib
import itertools
import os
import secrets
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.files.store import storage_at
from adapters.inbox import inbox, quarantine
from adapters.inbox.inbox import Intake
from adapters.settings.settings import settings
from domain.archive.found_process import FoundProcess
from models.errors import Refused, Transient
from models.runs.receipt import DEFAULT_SOURCE, Delivery, Identity
from models.said import Sentence
from tests.conftest import Configure, bucket_at
from tests.installations import closed_url, objects_below, taken_in

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BODY = b'{"reference": "r"}' * 1000
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def bucket_inbox(configure: Configure, s3_server: str) -> str:
    """Return the URL of an empty inbox in a bucket."""
    return configure(inbox_url=f"s3://archives/{secrets.token_hex(8)}", **bucket_at(s3_server)).inbox_location


@pytest.fixture(params=["folder", "bucket"])
def location(request: pytest.FixtureRequest, configure: Configure) -> str:
    """Return the location of an empty inbox of each kind."""
    if request.param == "folder":
        return configure().inbox_location
    return str(request.getfixturevalue("bucket_inbox"))


@pytest.fixture
def folder(configure: Configure) -> Path:
    return Path(configure().inbox_location)


def accepted(body: bytes = BODY, at: datetime = NOON) -> Delivery:
    return taken_in(body).accept(Identity("r"), at, {"content-type": "application/json", "x-name": "שלום"})


def names(location: str) -> list[str]:
    """Return the names of everything in the inbox, including unfinished files."""
    if location.startswith("s3://"):
        return sorted(objects_below(location))
    return sorted(str(path.relative_to(location)) for path in Path(location).rglob("*") if path.is_file())


def spooled() -> list[Path]:
    """Return the local files that wait for their upload to a bucket."""
    return list(settings().spool_dir.glob("*"))


def body_of(receipt_id: str) -> bytes:
    with inbox.opened_body(receipt_id) as body:
        return body.read()


@pytest.mark.parametrize("body", [BODY, os.urandom(20_000_000)], ids=["small", "big"])
def test_accepted_body_is_read_back_and_kept_once_with_each_of_its_deliveries_until_they_are_removed(
    location: str, body: bytes
) -> None:
    intake, size_bytes = Intake(), len(body) // 19
    for start in range(0, len(body), size_bytes):
        intake.digest(body[start : start + size_bytes])
        intake.write([body[start : start + size_bytes]])
    intake.digest(b"")
    intake.write([b""])

    first = intake.accept(Identity("תהליך/1"), NOON, {"content-type": "application/json"})
    intake.discard()  # does nothing after that
    second = accepted(body, NOON + timedelta(seconds=1))

    receipt_id = hashlib.sha256(body).hexdigest()
    assert (first.receipt_id, first.reference, first.received_at) == (receipt_id, "תהליך/1", NOON)
    assert (first.size_bytes, first.headers) == (len(body), {"content-type": "application/json"})
    assert (inbox.has_body(receipt_id), body_of(receipt_id)) == (True, body)
    assert list(inbox.deliveries()) == [first, second]
    records = [f"waiting/{each.delivery_id}.json" for each in (first, second)]
    assert names(location) == sorted([f"waiting/{receipt_id}.body", *records])
    assert spooled() == []
    for _ in range(2):
        inbox.remove([first.delivery_id, second.delivery_id], receipt_id)
    assert names(location) == []


def test_body_is_readable_by_its_owner_only(location: str) -> None:
    intake = taken_in(BODY)

    (part,) = storage_at(f"{location}/waiting").part_folder.glob(".*.part")
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    intake.accept(Identity("r"), NOON, {})
    if not location.startswith("s3://"):
        assert stat.S_IMODE(Path(location, "waiting", f"{DIGEST}.body").stat().st_mode) == 0o600


@pytest.mark.usefixtures("location")
def test_deliveries_are_listed_oldest_first_also_while_some_are_removed() -> None:
    times = [NOON + timedelta(seconds=each) for each in (3, 0, 0.5, 86400, 1)]
    made = sorted((accepted(b"%d" % number, at) for number, at in enumerate(times)), key=lambda each: each.received_at)
    listing = inbox.deliveries()

    assert next(listing) == made[0]
    inbox.remove([made[1].delivery_id])

    assert list(listing) == made[2:]


def test_inbox_is_empty_until_a_body_is_accepted(location: str) -> None:
    assert inbox.remove_leftovers() == 0
    inbox.try_out()
    assert (names(location), spooled()) == ([], [])

    intake = taken_in(BODY)

    assert (list(inbox.deliveries()), quarantine.refused()) == ([], [])
    assert not inbox.has_body(DIGEST)
    with pytest.raises(FileNotFoundError):
        body_of(DIGEST)
    for _ in range(2):
        intake.discard()
    assert (names(location), spooled()) == ([], [])


def test_refused_body_is_kept_once_in_quarantine_with_the_reason_of_each_delivery(location: str) -> None:
    refused = Refused("NOT_BASE64", "expected base64", where="signed_document.content")
    entry = taken_in(BODY).quarantine(refused, NOON, FoundProcess("r", 7))

    assert (entry.receipt_id, entry.size_bytes, entry.received_at) == (DIGEST, len(BODY), NOON)
    assert (entry.code, entry.where, entry.detail) == ("NOT_BASE64", "signed_document.content", "expected base64")
    assert (entry.reference, entry.process_number, entry.released_at) == ("r", 7, None)
    assert quarantine.refused() == [entry]
    with quarantine.opened_body(DIGEST) as body:
        assert body.read() == BODY
    assert quarantine.location(DIGEST) == f"{location}/quarantine/{DIGEST}.body"
    assert names(location) == [f"quarantine/{entry.delivery_id}.json", f"quarantine/{DIGEST}.body"]
    assert spooled() == []

    for other, seconds in ((b"b", 3), (BODY, 2)):
        taken_in(other).quarantine(refused, NOON + timedelta(seconds=seconds), FoundProcess())
    assert [each.received_at.second for each in quarantine.refused()] == [3, 2, 0]
    assert len([name for name in names(location) if name.endswith(".body")]) == 2


def test_listed_record_is_out_of_the_search_until_its_release(location: str) -> None:
    entry = taken_in(BODY).quarantine(Refused("NOT_JSON", "no JSON"), NOON, FoundProcess())
    for _ in range(2):  # a repetition changes nothing
        quarantine.set_listed(entry)
        quarantine.sync_listed()
        quarantine.forget_unlisted(entry)
    assert (list(quarantine.unlisted()), quarantine.refused()) == ([], [entry])
    assert f"quarantine/listed/{entry.delivery_id}.json" in names(location)

    quarantine.set_released(entry, NOON)

    released = replace(entry, released_at=NOON)
    assert (list(quarantine.unlisted()), quarantine.refused()) == ([released], [released])


@pytest.mark.usefixtures("location")
def test_newest_record_of_a_delivery_says_what_a_person_decided_last() -> None:
    refused = Refused("TRUNCATED", Sentence.at_byte(byte=7, reason="the body\nends"))
    entry = taken_in(BODY).quarantine(refused, NOON, FoundProcess())
    dismissed = quarantine.set_dismissed(entry, "Dana", "a test", NOON)
    withdrawn = quarantine.set_withdrawn(dismissed, NOON + timedelta(minutes=1))

    assert (quarantine.newest(entry), quarantine.newest(dismissed)) == (withdrawn, withdrawn)
    assert (quarantine.refused(), withdrawn.values) == ([withdrawn], {"byte": 7, "reason": "the body\nends"})
    quarantine.set_listed(withdrawn)
    quarantine.forget_unlisted(withdrawn)
    assert (quarantine.newest(entry), quarantine.refused()) == (entry, [withdrawn])


@pytest.mark.usefixtures("location")
def test_release_during_the_listing_is_not_lost() -> None:
    entry = taken_in(BODY).quarantine(Refused("NOT_JSON", "no JSON"), NOON, FoundProcess())
    quarantine.set_released(entry, NOON)

    quarantine.set_listed(entry)  # the record as it was read before the release
    quarantine.forget_unlisted(entry)

    assert [each.released_at for each in quarantine.unlisted()] == [NOON]


def test_delivery_and_refused_delivery_keep_their_source(location: str) -> None:
    for source in ("retail", DEFAULT_SOURCE):
        taken_in(BODY).accept(Identity("r"), NOON, {}, source)
        taken_in(b"no").quarantine(Refused("NOT_JSON", "no JSON"), NOON, FoundProcess(), source)

    assert {each.source for each in inbox.deliveries()} == {"retail", DEFAULT_SOURCE}
    assert {each.source for each in quarantine.refused()} == {"retail", DEFAULT_SOURCE}


def test_unreadable_record_does_not_block_others(location: str) -> None:
    delivery = accepted()
    entry = taken_in(b"{").quarantine(Refused("NOT_JSON", "no JSON"), NOON, FoundProcess())
    storage_at(f"{location}/waiting").write(b"{", "0.json")
    storage_at(f"{location}/quarantine").write(b"[]", "0.json")

    assert list(inbox.deliveries()) == [delivery]
    assert quarantine.refused() == [entry]


def test_only_leftovers_of_dead_receivers_are_removed(location: str) -> None:
    delivery = accepted()
    living = Intake()
    living.write([b"half a body"])
    spool = storage_at(f"{location}/waiting").part_folder
    (spool / ".dead.part").write_bytes(b"half a bo")

    assert inbox.remove_leftovers() == 1

    assert len(list(spool.glob(".*.part"))) == 1
    assert list(inbox.deliveries()) == [delivery]
    living.discard()


def test_receivers_share_an_inbox_and_its_sweep_removes_no_body_of_a_living_one(location: str) -> None:
    """Each takes in the same bodies. A part may be swept before it is locked, or disappear before its lock."""
    stop = threading.Event()

    def receive() -> list[Delivery]:
        accepted_ones = []
        for number in itertools.count():
            accepted_ones.append(accepted(b"%d" % number))
            if stop.is_set():
                return accepted_ones
        raise AssertionError("unreachable")

    with ThreadPoolExecutor() as pool:
        receivers = [pool.submit(receive) for _ in range(3)]
        until = time.monotonic() + 1
        while time.monotonic() < until:
            inbox.remove_leftovers()
        stop.set()
        sent = [each for receiver in receivers for each in receiver.result()]

    bodies = {Path(name).stem for name in names(location) if name.endswith(".body")}
    assert bodies == {each.receipt_id for each in sent}
    assert {hashlib.sha256(body_of(each)).hexdigest() for each in bodies} == bodies
    assert {each.delivery_id for each in inbox.deliveries()} == {each.delivery_id for each in sent}


def ended(program: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in another process with the settings of this one."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


# Prints every call that matters for durability, in order, by wrapping the functions of `os` that our code calls.
TRACE = """
import os, pathlib, sys
from datetime import UTC, datetime

def reported(name, original):
    def call(*arguments, **named):
        target = arguments[0]
        path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fspath(target)
        to = [pathlib.Path(arguments[1]).name] if name == "replace" else []
        print(name, pathlib.Path(path).name, *to)
        return original(*arguments, **named)
    return call

for name in ("fsync", "replace", "mkdir"):
    setattr(os, name, reported(name, getattr(os, name)))
from adapters.inbox.inbox import Intake
from models.runs.receipt import Identity
intake = Intake()
intake.digest(b"body")
intake.write([b"body"])
delivery = intake.accept(Identity("r"), datetime(2026, 1, 1, tzinfo=UTC), {})
print("acknowledged", delivery.delivery_id)
"""


def test_delivery_is_acknowledged_only_after_body_record_and_folder_are_synced(configure: Configure) -> None:
    """A rename is durable once its folder is synced, and bytes once their file is synced. Order matters."""
    folder = configure().data_dir
    steps = [line.split() for line in ended(TRACE).stdout.splitlines()]

    delivery_id = steps[-1][1]
    body = f"{hashlib.sha256(b'body').hexdigest()}.body"
    assert [step[0] for step in steps] == ["mkdir", "fsync"] * 3 + 2 * ["fsync"] + 2 * ["replace"] + [
        "fsync",
        "acknowledged",
    ]
    made = [folder.parent.name, folder.name, "inbox", "waiting"]
    assert [step[1] for step in steps[:6]] == [made[1], made[0], made[2], made[1], made[3], made[2]]
    part, record, body_renamed, record_renamed, synced = steps[6:11]
    assert body_renamed == ["replace", part[1], body]
    assert record_renamed == ["replace", record[1], f"{delivery_id}.json"]
    assert synced == ["fsync", "waiting"]


def test_unwritable_inbox_raises_at_once(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"a file where the folder should be")

    with pytest.raises(OSError, match="inbox"):
        Intake().write([b"body"])
    with pytest.raises(OSError, match="inbox"):
        inbox.try_out()


# Prints every call to the bucket, in order.
TRACE_OF_BUCKET = """
from datetime import UTC, datetime
from adapters.files import bucket
from adapters.inbox.inbox import Intake
from models.runs.receipt import Identity

def reported(model, **_):
    print(model.name)

bucket.client().meta.events.register("before-call.s3", reported)
for size_bytes in (4, 9 << 20):
    for _ in range(2):
        intake = Intake()
        intake.digest(bytes(size_bytes))
        intake.write([bytes(size_bytes)])
        intake.accept(Identity("r"), datetime(2026, 1, 1, tzinfo=UTC), {})
        print("acknowledged")
"""


@pytest.mark.usefixtures("bucket_inbox")
def test_delivery_is_acknowledged_only_after_body_and_record_are_in_the_bucket() -> None:
    """The record follows the body. A large body that may be there already is asked for before it is sent."""
    reported = ended(TRACE_OF_BUCKET).stdout

    small = "PutObject PutObject acknowledged PutObject HeadObject PutObject acknowledged"
    parts = "CreateMultipartUpload UploadPart UploadPart CompleteMultipartUpload"
    large = f"HeadObject {parts} PutObject acknowledged HeadObject PutObject acknowledged"
    assert reported.split() == f"{small} {large}".split()


def test_body_without_a_record_does_no_harm_and_the_next_delivery_repairs_one_that_is_damaged(
    bucket_inbox: str,
) -> None:
    """The name of the body is its digest, so a body of a different size must be damaged."""
    for left in (BODY, b"half a bo"):
        storage_at(f"{bucket_inbox}/waiting").write(left, f"{DIGEST}.body")
        assert list(inbox.deliveries()) == []

        delivery = accepted()

        assert list(inbox.deliveries()) == [delivery]
        assert body_of(DIGEST) == BODY
        inbox.remove([delivery.delivery_id])


AWAY = {
    "wrong secret": {"AWS_SECRET_ACCESS_KEY": "wrong"},
    "closed endpoint": {"AWS_ENDPOINT_URL": closed_url()},
    "no bucket": {"CELLAR_INBOX_URL": "s3://No_Such_Bucket/inbox"},
}


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY)
def test_every_call_to_an_unreachable_bucket_is_transient_and_leaves_nothing(
    configure: Configure, s3_server: str, bucket_inbox: str, away: dict[str, str]
) -> None:
    configure(**away)
    small, large, refused = taken_in(BODY), taken_in(bytes(9_000_000)), taken_in(BODY)
    for call in (
        lambda: small.accept(Identity("r"), NOON, {}),
        lambda: large.accept(Identity("r"), NOON, {}),
        lambda: refused.quarantine(Refused("NOT_JSON", "no JSON"), NOON, FoundProcess()),
        inbox.try_out,
        lambda: list(inbox.deliveries()),
        quarantine.refused,
        lambda: inbox.remove(["x"], DIGEST),
    ):
        with pytest.raises(Transient):
            call()
    for intake in (small, large, refused):
        intake.discard()

    assert inbox.remove_leftovers() == 0
    assert spooled() == []
    configure(inbox_url=bucket_inbox, **bucket_at(s3_server))
    assert names(bucket_inbox) == []


# Kills itself right before an upload: the first is of the body, the second of the record.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from adapters.files import bucket
from adapters.inbox import inbox, quarantine
from models.runs.receipt import Identity

left = {left}

def killed_before(_model, **_):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

bucket.client().meta.events.register("before-call.s3.PutObject", lambda model, **_: killed_before(model))
intake = inbox.Intake()
intake.digest(b"body")
intake.write([b"body"])
intake.accept(Identity("r"), datetime(2026, 1, 1, tzinfo=UTC), {{}})
print("acknowledged")
"""


@pytest.mark.parametrize(("uploads", "bodies", "parts"), [(0, 0, 1), (1, 1, 0)])
def test_receiver_killed_before_an_upload_acknowledges_nothing_and_its_spool_is_swept(
    bucket_inbox: str, uploads: int, bodies: int, parts: int
) -> None:
    killed = ended(KILLED.format(left=uploads))

    assert (killed.returncode, killed.stdout) == (-9, "")
    assert list(inbox.deliveries()) == []
    assert names(bucket_inbox) == [f"waiting/{hashlib.sha256(b'body').hexdigest()}.body"] * bodies
    assert inbox.remove_leftovers() == parts
    assert spooled() == []
    delivery = accepted(b"body")
    assert list(inbox.deliveries()) == [delivery]


# Prints how much its memory grows with many large bodies at once, in MiB.
MEMORY = """
import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from adapters.files import bucket
from adapters.inbox import inbox, quarantine
from models.runs.receipt import Identity

def accepted(number):
    intake = inbox.Intake()
    chunk = b"%10d" % number * 100_000
    for _ in range({chunks}):
        intake.digest(chunk)
        intake.write([chunk])
    intake.accept(Identity("r"), datetime(2026, 1, 1, tzinfo=UTC), {{}})

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

accepted(0)
before = peak()
with ThreadPoolExecutor(16) as pool:
    list(pool.map(accepted, range(16)))
print(peak() - before)
"""


@pytest.mark.usefixtures("bucket_inbox")
@pytest.mark.parametrize("chunks", [8, 20])
def test_memory_does_not_grow_with_bodies_spooled_for_a_bucket(chunks: int) -> None:
    """128 and 320 MB at once; smart-open's own buffer would hold up to 8 MiB of each body."""
    assert int(ended(MEMORY.format(chunks=chunks)).stdout) < 32
