"""The inbox: what was accepted is on the disk, once, and what was not leaves nothing."""

import hashlib
import os
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters import inbox
from adapters.inbox import Intake
from models.errors import Refused
from models.receipt import Sending

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BODY = b'{"reference": "r"}' * 1000
DIGEST = hashlib.sha256(BODY).hexdigest()


def accepted(folder: Path, body: bytes = BODY, at: datetime = NOON) -> Sending:
    intake = Intake(folder)
    intake.write(body)
    return intake.accept("r", at, {"content-type": "application/json", "x-name": "שלום"})


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_accepted_body_and_its_sending_are_read_back(tmp_path: Path) -> None:
    intake = Intake(tmp_path / "in")
    for start in range(0, len(BODY), 1000):
        intake.write(BODY[start : start + 1000])
    intake.write(b"")

    sending = intake.accept("תהליך/1", NOON, {"content-type": "application/json"})

    assert (sending.receipt_id, sending.reference, sending.received_at) == (DIGEST, "תהליך/1", NOON)
    assert (sending.size_bytes, sending.headers) == (len(BODY), {"content-type": "application/json"})
    assert inbox.body_path(tmp_path / "in", DIGEST).read_bytes() == BODY
    assert list(inbox.sendings(tmp_path / "in")) == [sending]
    assert names(tmp_path / "in" / "waiting") == sorted([f"{DIGEST}.body", f"{sending.sending_id}.json"])


def test_body_is_for_its_owner_alone(tmp_path: Path) -> None:
    accepted(tmp_path)

    assert stat.S_IMODE(inbox.body_path(tmp_path, DIGEST).stat().st_mode) == 0o600


def test_same_body_twice_is_kept_once_with_two_sendings(tmp_path: Path) -> None:
    first, second = accepted(tmp_path), accepted(tmp_path)

    assert first.receipt_id == second.receipt_id
    assert first.sending_id != second.sending_id
    assert len(list((tmp_path / "waiting").glob("*.body"))) == 1
    assert {each.sending_id for each in inbox.sendings(tmp_path)} == {first.sending_id, second.sending_id}


def test_sendings_come_oldest_first(tmp_path: Path) -> None:
    times = [NOON + timedelta(seconds=each) for each in (3, 0, 0.5, 86400, 1)]
    for number, at in enumerate(times):
        accepted(tmp_path, b"%d" % number, at)

    assert [each.received_at for each in inbox.sendings(tmp_path)] == sorted(times)


def test_inbox_without_a_folder_is_empty(tmp_path: Path) -> None:
    assert list(inbox.sendings(tmp_path / "none")) == []
    assert inbox.quarantined(tmp_path / "none") == []


def test_body_on_its_way_is_no_sending(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    intake.write(BODY)

    assert list(inbox.sendings(tmp_path)) == []
    intake.discard()


def test_discarded_body_leaves_nothing(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    intake.write(BODY)
    intake.discard()
    intake.discard()

    assert names(tmp_path / "waiting") == []


def test_discard_after_accept_does_nothing(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    intake.write(BODY)
    intake.accept("r", NOON, {})
    intake.discard()

    assert inbox.body_path(tmp_path, DIGEST).read_bytes() == BODY


def test_refused_body_is_kept_in_quarantine_with_the_reason(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    intake.write(BODY)
    entry = intake.quarantine(Refused("NOT_BASE64", "expected base64", where="signed_document.content"), NOON)

    assert (entry.receipt_id, entry.size_bytes, entry.received_at) == (DIGEST, len(BODY), NOON)
    assert (entry.code, entry.where, entry.detail) == ("NOT_BASE64", "signed_document.content", "expected base64")
    assert inbox.quarantined(tmp_path) == [entry]
    assert inbox.quarantined_body(tmp_path, DIGEST).read_bytes() == BODY
    assert names(tmp_path / "waiting") == []


def test_quarantine_lists_newest_first_and_each_body_once(tmp_path: Path) -> None:
    for body, seconds in ((b"a", 1), (b"b", 3), (b"a", 2)):
        intake = Intake(tmp_path)
        intake.write(body)
        intake.quarantine(Refused("NOT_JSON", "no JSON"), NOON + timedelta(seconds=seconds))

    entries = inbox.quarantined(tmp_path)

    assert [each.received_at.second for each in entries] == [3, 2]
    inbox.remove_quarantined(tmp_path, entries[0].receipt_id)
    inbox.remove_quarantined(tmp_path, entries[0].receipt_id)
    assert inbox.quarantined(tmp_path) == entries[1:]


def test_removed_sending_and_body_are_gone_and_removing_again_is_fine(tmp_path: Path) -> None:
    sending = accepted(tmp_path)
    for _ in range(2):
        inbox.remove_sending(tmp_path, sending.sending_id)
        inbox.remove_body(tmp_path, sending.receipt_id)

    assert names(tmp_path / "waiting") == []


def test_leftovers_of_a_dead_receiver_are_removed_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    sending = accepted(tmp_path)
    dead, living = Intake(tmp_path), Intake(tmp_path)
    (part,) = [
        each for each in (tmp_path / "waiting").glob(".*.part") if each.samefile(f"/proc/self/fd/{dead._descriptor}")
    ]
    os.utime(part, (0, 0))

    assert inbox.remove_leftovers(tmp_path, datetime.now(UTC) - timedelta(minutes=1)) == 1

    assert len(list((tmp_path / "waiting").glob(".*.part"))) == 1
    assert list(inbox.sendings(tmp_path)) == [sending]
    dead.discard()
    living.discard()


def test_leftovers_are_removed_while_other_receivers_come_and_go(tmp_path: Path) -> None:
    """A part may be gone between its listing and the look at its age."""
    stop = threading.Event()

    def receive() -> None:
        while not stop.is_set():
            Intake(tmp_path).discard()

    receivers = [threading.Thread(target=receive) for _ in range(3)]
    for receiver in receivers:
        receiver.start()
    try:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            assert inbox.remove_leftovers(tmp_path, NOON - timedelta(days=3650)) == 0
    finally:
        stop.set()
        for receiver in receivers:
            receiver.join()


def test_sendings_may_be_taken_out_while_they_are_listed(tmp_path: Path) -> None:
    first, second, third = (accepted(tmp_path, b"%d" % each, NOON + timedelta(seconds=each)) for each in range(3))
    listing = inbox.sendings(tmp_path)

    assert next(listing) == first
    inbox.remove_sending(tmp_path, second.sending_id)

    assert list(listing) == [third]


def test_many_receivers_share_an_inbox(tmp_path: Path) -> None:
    bodies = [b"%d" % (each % 5) for each in range(40)]
    threads = [threading.Thread(target=accepted, args=(tmp_path, body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(list(inbox.sendings(tmp_path))) == 40
    for body in set(bodies):
        assert inbox.body_path(tmp_path, hashlib.sha256(body).hexdigest()).read_bytes() == body


# Tells every call that matters to the kernel, in order. It stands around the functions of `os`, which our code calls.
TRACE = """
import os, pathlib, sys
from datetime import UTC, datetime

def told(name, original):
    def call(*arguments, **named):
        target = arguments[0]
        path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fspath(target)
        to = [pathlib.Path(arguments[1]).name] if name == "replace" else []
        print(name, pathlib.Path(path).name, *to)
        return original(*arguments, **named)
    return call

for name in ("fsync", "replace", "mkdir"):
    setattr(os, name, told(name, getattr(os, name)))
from adapters.inbox import Intake
intake = Intake(pathlib.Path(sys.argv[1]) / "in")
intake.write(b"body")
sending = intake.accept("r", datetime(2026, 1, 1, tzinfo=UTC), {})
print("acknowledged", sending.sending_id)
"""


def test_nothing_is_acknowledged_before_body_sending_and_folder_are_synced(tmp_path: Path) -> None:
    """A rename is durable once its folder is synced, a file's bytes once the file is; in this order."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", TRACE, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    steps = [line.split() for line in done.stdout.splitlines()]

    sending_id = steps[-1][1]
    body = f"{hashlib.sha256(b'body').hexdigest()}.body"
    assert [step[0] for step in steps] == ["mkdir", "fsync"] * 2 + ["fsync", "replace"] * 2 + ["fsync", "acknowledged"]
    assert [step[1] for step in steps[:4]] == ["in", tmp_path.name, "waiting", "in"]
    part, body_renamed, record, record_renamed, folder = steps[4:9]
    assert body_renamed == ["replace", part[1], body]
    assert record_renamed == ["replace", record[1], f"{sending_id}.json"]
    assert folder == ["fsync", "waiting"]


def test_inbox_that_takes_nothing_raises_at_once(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a file where the folder should be")

    with pytest.raises(OSError, match="in"):
        Intake(tmp_path / "in")
