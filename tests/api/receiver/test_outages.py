"""Acknowledges archives during outages, and keeps them when the receiver is killed."""

import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.inbox import session_events
from cli.programs.api import MALLOC
from domain.completeness.session_events import events_in
from tests.api.conftest import Receiver, receiving
from tests.api.senders import Sender, assert_refused, receipt_id_of, sent_until_it_dies
from tests.conftest import LONGEST_S, Configure, answers, bucket_at, free_port, running, wait_until
from tests.installations import database_that_is_away, installed, objects_below
from tests.samples import sample_body
from tests.session_events import body as event
from tests.session_events import large_body as large_event

ROOT = Path(__file__).parents[3]


def _connections(listening: socket.socket) -> int:
    """Return how many connections wait to be accepted."""
    listening.setblocking(False)
    for number in itertools.count():
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return number
    raise AssertionError


def test_archives_are_acknowledged_without_a_database(without_database: Receiver) -> None:
    body = sample_body("without database")

    answer = without_database.post(body)

    assert answer.json() == {"status": "0", "document": {"reference": receipt_id_of(body)}, "errordesc": ""}
    assert without_database.body_of(receipt_id_of(body)) == body
    ready = without_database.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert {ready.json()[name] for name in ("database", "prefect")} == {"unreachable"}


def test_archives_are_acknowledged_while_the_database_hangs(tmp_path: Path) -> None:
    """Database and Prefect accept connections and never answer, so each thread that queries the database waits.

    Requests for the readiness at the same time share a check.
    """
    with (
        socket.create_server(("127.0.0.1", 0), backlog=100) as silent,
        socket.create_server(("127.0.0.1", 0), backlog=100) as prefect,
    ):
        away = {
            "database_url": f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/cellar",
            "PREFECT_API_URL": f"http://127.0.0.1:{prefect.getsockname()[1]}/api",
        }
        with receiving(tmp_path, is_migrated=False, **away) as receiver, ThreadPoolExecutor(20) as pool:
            asking = [pool.submit(_get, f"{receiver.url}/readyz") for _ in range(20)]

            given = [receiver.post(sample_body(f"hanging-{number}")) for number in range(11)]

            assert {answer.json()["status"] for answer in given} == {"0"}
            assert [each.result().status_code for each in asking] == [200] * 20
            assert 0 < _connections(prefect) < 10


def _get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=LONGEST_S, trust_env=False)


def test_closed_standard_error_disturbs_no_acknowledgement(configure: Configure) -> None:
    made = configure(port=free_port())
    url, command = f"http://127.0.0.1:{made.port}", [sys.executable, "-m", "cli.main", "api"]
    without = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    with running(without, MALLOC | os.environ, made.data_dir.parent / "output.log") as process:
        wait_until(lambda: process.poll() is not None or answers(f"{url}/healthz"))
        assert process.poll() is None

        headers = {"authorization": f"Bearer {made.active_webhook_secrets()[0]}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=LONGEST_S) as client:
            answer = client.post("/webhooks/cellosign", content=sample_body("unlogged"))

            assert answer.json()["status"] == "0"
            assert client.get("/readyz").json()["failed_log_writes"] > 0


def assert_logged_as_not_stored(receiver: Receiver, why: str) -> None:
    """Check for one line about the one archive that was not stored for this reason."""
    lines = [json.loads(line) for line in receiver.log.read_text().splitlines() if "not stored" in line]
    assert [(each["level"], each["source"]) for each in lines if each["why"] == why] == [("error", "default")]


def test_inbox_that_is_not_a_folder_is_reported_until_it_is_one_again(receiver: Receiver) -> None:
    receiver.post(sample_body("before"))
    away = receiver.inbox.rename(receiver.inbox.with_name("away"))
    receiver.inbox.write_bytes(b"")

    answer, ready = receiver.post(sample_body("heals")), receiver.client.get("/readyz")

    receiver.inbox.unlink()
    away.rename(receiver.inbox)
    assert_refused(answer, 503, "UNAVAILABLE")
    assert_logged_as_not_stored(receiver, "the inbox cannot store the archive: Not a directory; send it again later")
    assert answer.headers["retry-after"]
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert ready.json()["reason"].startswith("the inbox does not take payloads")
    assert receiver.client.get("/readyz").status_code == 200
    assert receiver.post(sample_body("heals")).json()["status"] == "0"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_full_disk_refuses_archives_until_there_is_room_again(receiver: Receiver) -> None:
    with small_disk(receiver.inbox, "1m"):
        large = receiver.post(sample_body("large", note="x" * (3 << 20)))
        left = receiver.kept()
        small = receiver.post(sample_body("small"))

    assert_refused(large, 503, "UNAVAILABLE")
    assert_logged_as_not_stored(
        receiver, "the inbox cannot store the archive: No space left on device; send it again later"
    )
    assert left == (set(), set())
    assert small.json()["status"] == "0"


def test_full_disk_refuses_events_until_there_is_room_again(without_database: Receiver) -> None:
    with small_disk(without_database.inbox, "64k"):
        given = [without_database.post(event(reference=f"{each}", note="x" * 9000)) for each in range(20)]
        lines = b"".join(path.read_bytes() for path in (without_database.inbox / "events").glob("*.jsonl"))

    refused = [each for each in given if each.json()["status"] == "-1"]
    assert 0 < len(refused) < 20
    assert all(each.json()["errordesc"].startswith("UNAVAILABLE") for each in refused)
    acknowledged = {each.json()["document"]["reference"] for each in given if each not in refused}
    assert {each.receipt_id for each in events_in(lines) if each} == acknowledged
    assert without_database.post(event()).json()["status"] == "0"


def test_killed_receiver_loses_no_acknowledged_body_and_its_next_start_removes_unfinished_files(tmp_path: Path) -> None:
    with receiving(tmp_path) as receiver:
        with Sender(receiver, "content-length: 7000000") as unfinished:
            unfinished.send(b" " * 6_000_000)
            wait_until(lambda: any(name.endswith(".part") for name in receiver.waiting()))
            acknowledged = _sent_until_killed(receiver, "first")
        left = receiver.waiting()
    with receiving(tmp_path) as receiver:
        kept = receiver.waiting()
        acknowledged += _sent_until_killed(receiver, "second")

    found = {receipt_id_of(body): body for body in acknowledged}
    assert len(found) >= 20
    assert {receipt_id: receiver.body_of(receipt_id) for receipt_id in found} == found
    assert set(found) <= {delivery.receipt_id for delivery in receiver.deliveries()}
    half_done = {name for name in left if name.endswith(".part")}
    assert half_done
    assert kept == left - half_done


def _sent_until_killed(receiver: Receiver, prefix: str) -> list[bytes]:
    """Send from four threads and kill the receiver in between. Return the acknowledged bodies."""

    def _bodies(sender: int) -> Iterator[bytes]:
        return (sample_body(f"{prefix}-{sender}-{number}", note="x" * 100_000) for number in itertools.count())

    enough = len(receiver.waiting()) + 30
    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(sent_until_it_dies, receiver, _bodies(sender)) for sender in range(4)]
        wait_until(lambda: len(receiver.waiting()) > enough)
        receiver.process.kill()
        receiver.process.wait()
        return [body for each in sending for body in each.result()]


def test_acknowledged_bodies_are_in_the_bucket_and_one_that_is_away_or_hangs_is_reported_in_time(
    tmp_path: Path, s3_server: str
) -> None:
    """The receiver reaches the bucket only while a relay runs."""
    port, url = free_port(), f"s3://archives/{secrets.token_hex(8)}"
    values: dict[str, Any] = {"inbox_url": url, "database_url": database_that_is_away()}
    relay = [sys.executable, "-m", "tests.relay", str(port), s3_server.rpartition(":")[2]]
    body, refused = sample_body("recovers"), b'{"no": "archive"}'
    accepted = [body, sample_body("large", note="x" * 9_000_000), body, event(), large_event()]

    @contextmanager
    def _reachable() -> Iterator[None]:
        with running(relay, dict(os.environ), tmp_path / "relay.log", ROOT):
            wait_until(lambda: _listens(port))
            yield

    with receiving(tmp_path, is_migrated=False, **values, **bucket_at(f"http://127.0.0.1:{port}")) as receiver:
        _assert_away(receiver, body)
        with _reachable():
            assert receiver.post(body).json()["status"] == "0"
            wait_until(lambda: receiver.client.get("/readyz").status_code == 200)  # a loop that ended begins again
        _assert_away(receiver, body)
        _assert_away(receiver, refused)
        with _reachable():
            assert [receiver.post(each).json()["status"] for each in accepted] == ["0"] * len(accepted)
            assert receiver.post(refused).status_code == 422
        with socket.create_server(("127.0.0.1", port), backlog=100):
            ready = receiver.client.get("/readyz")
            assert receiver.client.get("/healthz").status_code == 200
            assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
            assert "does not answer within" in ready.json()["reason"]
            receiver.process.kill()  # otherwise it waits for the thread that hangs

    with installed(tmp_path, **values, **bucket_at(s3_server)):
        found = objects_below(url)
        lines = b"".join(map(session_events.place().read_bytes, session_events.batches()))
    bodies = {name: size for name, size in found.items() if name.endswith(".body")}
    expected = {f"waiting/{receipt_id_of(each)}.body": len(each) for each in accepted[:2]}
    expected[f"quarantine/{receipt_id_of(refused)}.body"] = len(refused)
    assert bodies == expected | {f"events/{receipt_id_of(large_event())}.body": len(large_event())}
    assert len([name for name in found if name.startswith("waiting/") and name.endswith(".json")]) == 4
    assert {each.body for each in events_in(lines) if each} == {event(), None}
    assert list((tmp_path / "data" / "spool").glob("*")) == []


def _assert_away(receiver: Receiver, body: bytes) -> None:
    """Check for the documented 503, also for bad bodies, since quarantine is not reachable either."""
    answer = receiver.post(body)
    assert_refused(answer, 503, "UNAVAILABLE: the bucket does not")
    assert answer.headers["retry-after"] == "30"
    ready = receiver.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert ready.json()["reason"].startswith("the inbox does not take payloads: the bucket does not")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
