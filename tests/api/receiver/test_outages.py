"""Acknowledges archives during outages, and keeps them when the receiver is killed."""

import itertools
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cli.programs.api import MALLOC
from tests.api.conftest import Receiver, receiving
from tests.api.senders import Sender, assert_refused, receipt_id_of
from tests.conftest import LONGEST_S, Configure, answers, free_port, running, wait_until
from tests.samples import sample_body


def assert_logged_as_not_stored(receiver: Receiver, why: str) -> None:
    """Check for one line about the one archive that was not stored for this reason."""
    lines = [json.loads(line) for line in receiver.log.read_text().splitlines() if "not stored" in line]
    assert [(each["level"], each["source"]) for each in lines if each["why"] == why] == [("error", "default")]


def _connections(listening: socket.socket) -> int:
    """Return how many connections wait to be accepted."""
    listening.setblocking(False)
    for number in itertools.count():
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return number
    raise AssertionError


class TestOutages:
    def test_archives_are_acknowledged_without_a_database(self, without_database: Receiver) -> None:
        body = sample_body("without database")

        answer = without_database.post(body)

        assert answer.json() == {"status": "0", "document": {"reference": receipt_id_of(body)}, "errordesc": ""}
        assert without_database.body_of(receipt_id_of(body)) == body
        ready = without_database.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert {ready.json()[name] for name in ("database", "prefect")} == {"unreachable"}

    def test_archives_are_acknowledged_while_the_database_hangs(self, tmp_path: Path) -> None:
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
            starting = receiving(tmp_path, is_migrated=False, **away)
            with starting as receiver, ThreadPoolExecutor(20) as pool:
                asking = [pool.submit(_ask, receiver, "/readyz") for _ in range(20)]
                receiver.post(sample_body("before"))

                given = [receiver.post(sample_body(f"hanging-{number}")) for number in range(10)]

                assert {answer.json()["status"] for answer in given} == {"0"}
                assert [each.result() for each in asking] == [200] * 20
                assert 0 < _connections(prefect) < 10

    def test_closed_standard_error_disturbs_no_acknowledgement(self, configure: Configure) -> None:
        made = configure(port=free_port())
        url, command = f"http://127.0.0.1:{made.port}", [sys.executable, "-m", "cli.main", "api"]
        without = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
        with running(without, MALLOC | os.environ, made.data_dir.parent / "output.log") as process:
            wait_until(lambda: process.poll() is not None or answers(f"{url}/healthz"))
            assert process.poll() is None

            secret = made.active_webhook_secrets()[0]
            content, headers = sample_body("unlogged"), {"authorization": f"Bearer {secret}"}
            answer = httpx.post(
                f"{url}/webhooks/cellosign", content=content, headers=headers, trust_env=False, timeout=LONGEST_S
            )

            assert answer.json()["status"] == "0"
            assert httpx.get(f"{url}/readyz", trust_env=False, timeout=LONGEST_S).json()["failed_log_writes"] > 0

    def test_inbox_that_is_not_a_folder_is_reported_until_it_is_one_again(self, receiver: Receiver) -> None:
        receiver.post(sample_body("before"))
        away = receiver.inbox.rename(receiver.inbox.with_name("away"))
        receiver.inbox.write_bytes(b"")

        answer, ready = receiver.post(sample_body("heals")), receiver.client.get("/readyz")

        receiver.inbox.unlink()
        away.rename(receiver.inbox)
        assert_refused(answer, 503, "UNAVAILABLE")
        assert_logged_as_not_stored(
            receiver, "the inbox cannot store the archive: Not a directory; send it again later"
        )
        assert answer.headers["retry-after"]
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert ready.json()["reason"].startswith("the inbox does not take payloads")
        assert receiver.client.get("/readyz").status_code == 200
        assert receiver.post(sample_body("heals")).json()["status"] == "0"

    def test_full_disk_refuses_archives_until_there_is_room_again(self, receiver: Receiver) -> None:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", receiver.inbox], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("this user may not mount a small disk")
        try:
            large = receiver.post(sample_body("large", note="x" * (3 << 20)))
            left = receiver.kept()
            small = receiver.post(sample_body("small"))
        finally:
            subprocess.run(["umount", receiver.inbox], check=True)
        assert_refused(large, 503, "UNAVAILABLE")
        assert_logged_as_not_stored(
            receiver, "the inbox cannot store the archive: No space left on device; send it again later"
        )
        assert left == (set(), set())
        assert small.json()["status"] == "0"


def _ask(receiver: Receiver, path: str) -> int:
    return httpx.get(receiver.url + path, timeout=LONGEST_S, trust_env=False).status_code


@dataclass(frozen=True)
class Crash:
    """A receiver that was killed twice: the bodies that it acknowledged, its files before and after a restart."""

    acknowledged: list[bytes]
    left: set[str]
    kept: set[str]
    receiver: Receiver


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Crash:
    folder = tmp_path_factory.mktemp("crash")
    with receiving(folder) as receiver:
        with Sender(receiver, "content-length: 7000000") as unfinished:
            unfinished.send(b" " * 6_000_000)
            wait_until(lambda: any(name.endswith(".part") for name in receiver.waiting()))
            acknowledged = _sent_until_killed(receiver, "first")
        left = receiver.waiting()
    with receiving(folder) as receiver:
        kept = receiver.waiting()
        acknowledged += _sent_until_killed(receiver, "second")
    return Crash(acknowledged, left, kept, receiver)


class TestCrashes:
    def test_killed_receiver_loses_no_acknowledged_body(self, crash: Crash) -> None:
        found = {receipt_id_of(body): body for body in crash.acknowledged}
        assert len(found) >= 20
        assert {receipt_id: crash.receiver.body_of(receipt_id) for receipt_id in found} == found
        assert set(found) <= {delivery.receipt_id for delivery in crash.receiver.deliveries()}

    def test_next_start_removes_the_unfinished_files_of_a_killed_receiver(self, crash: Crash) -> None:
        half_done = {name for name in crash.left if name.endswith(".part")}
        assert half_done
        assert crash.kept == crash.left - half_done


def _sent_until_killed(receiver: Receiver, prefix: str) -> list[bytes]:
    """Send from four threads and kill the receiver in between. Return the acknowledged bodies."""
    enough = len(receiver.waiting()) + 30
    with ThreadPoolExecutor(4) as pool:
        delivery = [pool.submit(_send_until_it_dies, receiver, f"{prefix}-{number}") for number in range(4)]
        wait_until(lambda: len(receiver.waiting()) > enough)
        receiver.process.kill()
        receiver.process.wait()
        return [body for each in delivery for body in each.result()]


def _send_until_it_dies(receiver: Receiver, prefix: str) -> list[bytes]:
    acknowledged: list[bytes] = []
    with httpx.Client(base_url=receiver.url, trust_env=False, timeout=LONGEST_S) as client:
        for number in itertools.count():
            body = sample_body(f"{prefix}-{number}", note="x" * 100_000)
            try:
                answer = client.post("/webhooks/cellosign", content=body, headers={"authorization": receiver.secret})
            except httpx.HTTPError:
                break
            if answer.json()["status"] == "0":
                acknowledged.append(body)
    return acknowledged
