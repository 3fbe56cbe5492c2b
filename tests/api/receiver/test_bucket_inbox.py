"""A receiver whose inbox is in a bucket acknowledges only bodies that are in the bucket."""

import hashlib
import os
import secrets
import socket
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest

from tests.api.conftest import Receiver, receiving
from tests.conftest import bucket_at, free_port, running, wait_until
from tests.installations import objects_below
from tests.samples import sample_body

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Installation:
    """An inbox in a bucket, which the receiver can reach only within `reachable`."""

    folder: Path
    url: str
    server: str
    port: int

    def receiving(self, **values: object) -> AbstractContextManager[Receiver]:
        bucket = bucket_at(f"http://127.0.0.1:{self.port}")
        return receiving(self.folder, is_migrated=True, inbox_url=self.url, **bucket, **values)

    def reachable(self) -> AbstractContextManager["Popen[bytes]"]:
        command = [sys.executable, "-m", "tests.relay", str(self.port), self.server.rpartition(":")[2]]
        return running(command, dict(os.environ), self.folder / "relay.log", ROOT)

    def wait_until_reachable(self) -> None:
        wait_until(lambda: _listens(self.port))

    def objects(self) -> dict[str, int]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in bucket_at(self.server).items():
                patch.setenv(name, value)
            return objects_below(self.url)

    def spooled(self) -> list[str]:
        return [path.name for path in (self.folder / "data" / "spool").glob("*")]


@pytest.fixture
def installation(tmp_path: Path, s3_server: str) -> Installation:
    return Installation(tmp_path, f"s3://archives/{secrets.token_hex(8)}", s3_server, free_port())


def test_acknowledged_bodies_are_in_the_bucket_and_refused_bodies_in_its_quarantine(installation: Installation) -> None:
    bodies = [sample_body("small"), sample_body("large", note="x" * 9_000_000), b'{"no": "archive"}']
    small, large, refused = (hashlib.sha256(body).hexdigest() for body in bodies)

    with installation.reachable():
        installation.wait_until_reachable()
        with installation.receiving() as receiver:
            answers = [receiver.post(body).json() for body in (*bodies, bodies[0])]
            ready = receiver.client.get("/readyz")

    assert [answer["status"] for answer in answers] == ["0", "0", "-1", "0"]
    assert [answer["document"]["reference"] for answer in (answers[0], answers[1], answers[3])] == [small, large, small]
    assert (ready.status_code, ready.json()["reason"]) == (200, None)
    found = installation.objects()
    expected = {f"waiting/{small}.body": len(bodies[0]), f"waiting/{large}.body": len(bodies[1])}
    assert {name: size for name, size in found.items() if name.startswith("waiting/") and "body" in name} == expected
    assert len([name for name in found if name.startswith("waiting/") and name.endswith(".json")]) == 3
    quarantined = [name for name in found if name.startswith("quarantine/")]
    # Once the refused delivery has its row, which may be soon, its record lies in another folder.
    assert sorted(Path(each).suffix for each in quarantined) == [".body", ".headers", ".json"]
    assert f"quarantine/{refused}.body" in quarantined
    assert installation.spooled() == []


def test_receiver_reports_an_unreachable_bucket_until_it_is_back_and_a_hanging_bucket_in_time(
    installation: Installation,
) -> None:
    body = sample_body("recovers")
    with installation.receiving() as receiver:
        _assert_away(receiver, receiver.post(body))
        with installation.reachable():
            installation.wait_until_reachable()
            assert receiver.post(body).json()["status"] == "0"
            wait_until(lambda: receiver.client.get("/readyz").status_code == 200)  # a loop that ended begins again
        _assert_away(receiver, receiver.post(body))
        _assert_away(receiver, receiver.post(b"no archive"))
        with installation.reachable():
            installation.wait_until_reachable()
            assert receiver.post(sample_body("again")).json()["status"] == "0"
            assert receiver.post(b"no archive").status_code == 400
        with socket.create_server(("127.0.0.1", installation.port), backlog=100):
            ready = receiver.client.get("/readyz")
            assert receiver.client.get("/healthz").status_code == 200
            assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
            assert "does not answer within" in ready.json()["reason"]
            receiver.process.kill()  # otherwise it waits for the thread that hangs

    assert len([name for name in installation.objects() if name.endswith(".body")]) == 3
    assert installation.spooled() == []


def test_killed_receiver_loses_nothing_and_the_next_start_clears_its_spool(installation: Installation) -> None:
    with installation.reachable():
        installation.wait_until_reachable()
        with installation.receiving() as receiver:
            first = receiver.post(sample_body("first")).json()["document"]["reference"]
            with socket.create_connection(("127.0.0.1", receiver.port)) as unfinished:
                unfinished.sendall(_head(receiver) + b" " * 6_000_000)
                wait_until(lambda: bool(installation.spooled()))
                receiver.process.kill()
                receiver.process.wait()
        assert len(installation.spooled()) == 1
        with installation.receiving():
            assert installation.spooled() == []

    assert {name for name in installation.objects() if name.endswith(".body")} == {f"waiting/{first}.body"}


def _assert_away(receiver: Receiver, answer: httpx.Response) -> None:
    """Check for the documented 503, also for bad bodies, since quarantine is not reachable either."""
    content: dict[str, Any] = answer.json()
    assert (answer.status_code, content["status"], content["document"]) == (503, "-1", None)
    assert content["errordesc"].startswith("UNAVAILABLE: the bucket does not")
    assert answer.headers["retry-after"] == "30"
    ready = receiver.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert ready.json()["reason"].startswith("the inbox does not take payloads: the bucket does not")


def _head(receiver: Receiver) -> bytes:
    lines = ["POST /webhooks/cellosign HTTP/1.1", "host: x", f"authorization: {receiver.secret}"]
    return "\r\n".join([*lines, "content-length: 7000000", "", ""]).encode()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
