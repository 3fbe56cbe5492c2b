"""The webhook acknowledges session events once they are durable, many at once, and gives them no run."""

import hashlib
import itertools
import json
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select

from adapters.database.transactions import reading
from adapters.files.store import store
from adapters.inbox import session_events
from domain.completeness.session_events import events_in
from models.completeness.processes import ReceivedEvent, SessionEventRow, SessionEventType
from models.runs.receipt import DeliveryRow
from services.completeness.session_events import take_in
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.api.senders import assert_refused, head, receipt_id_of
from tests.conftest import LONGEST_S, bucket_at, wait_until
from tests.installations import database_that_is_away, installed
from tests.records import all_of
from tests.samples import sample_body
from tests.session_events import PERSON, body, large_body


def waiting(receiver: Receiver) -> list[ReceivedEvent]:
    """Return the events in the inbox of a receiver."""
    found = []
    for path in (receiver.inbox / "events").glob("*.jsonl"):
        with suppress(FileNotFoundError):  # taken in meanwhile
            found += [each for each in events_in(path.read_bytes()) if each]
    return found


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver without a database, so that events wait in its inbox."""
    folder = tmp_path_factory.mktemp("patient")
    with receiving(folder, is_migrated=False, database_url=database_that_is_away(), api_tokens=TOKEN) as receiver:
        yield receiver


@pytest.mark.parametrize("kind", SessionEventType)
def test_event_is_durable_before_its_answer(patient: Receiver, kind: SessionEventType) -> None:
    content = body(kind, secrets.token_hex(4))
    before = patient.kept()

    answer = patient.post(content)

    receipt_id = receipt_id_of(content)
    assert answer.json() == {"status": "0", "document": {"reference": receipt_id}, "errordesc": ""}
    (kept,) = [each for each in waiting(patient) if each.receipt_id == receipt_id]
    assert (kept.source, kept.body, kept.size_bytes) == ("default", content, len(content))
    assert patient.kept() == before


@pytest.mark.parametrize(
    "content", [body("WHP_STORAGE", "unknown"), large_body(), sample_body(event={"type": "WHP_X"})]
)
def test_event_of_an_unknown_type_is_kept_whole_and_logged_as_a_warning(patient: Receiver, content: bytes) -> None:
    logged = patient.log.stat().st_size

    assert patient.post(content).json()["status"] == "0"

    (kept,) = [each for each in waiting(patient) if each.receipt_id == receipt_id_of(content)]
    found = kept.body or (patient.inbox / "events" / f"{kept.receipt_id}.body").read_bytes()
    assert found == content
    lines = patient.log.read_bytes()[logged:].decode()
    assert "session events of unknown types are kept" in lines


def test_type_that_is_no_name_of_cellosigns_is_neither_logged_nor_a_label(patient: Receiver) -> None:
    logged = patient.log.stat().st_size

    assert patient.post(body(f"{PERSON} 0", PERSON)).json()["status"] == "0"

    metrics = patient.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text
    assert PERSON not in patient.log.read_bytes()[logged:].decode() + metrics
    assert 'cellar_session_events_total{source="default",type="other"}' in metrics


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (body("WHEF_FORM_FIELD_CHANGED"), "FORM_FIELD_CHANGED at event.type", "take it off the webhook"),
        (body(session=None), "SESSION_MISSING at session", "expected a session with"),
        (body(session={"labels": {}}), "SESSION_MISSING at session", "expected a session with"),
    ],
)
def test_event_that_cannot_be_served_is_refused_with_the_reason_and_kept(
    patient: Receiver, content: bytes, code: str, says: str
) -> None:
    answer = patient.post(content)

    assert_refused(answer, 422, code)
    assert says in answer.json()["errordesc"]
    assert (patient.inbox / "quarantine" / f"{receipt_id_of(content)}.body").read_bytes() == content


def test_senders_that_wait_together_share_a_batch(patient: Receiver) -> None:
    """All requests lie in the sockets of a stopped receiver, so it finds them at the same time when it goes on."""
    contents = [body(reference=f"together {number}") for number in range(40)]
    before = set((patient.inbox / "events").glob("*.jsonl"))
    with ExitStack() as stack:
        stack.callback(patient.process.send_signal, signal.SIGCONT)
        patient.process.send_signal(signal.SIGSTOP)
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", patient.port))) for _ in contents]
        for each, content in zip(sockets, contents, strict=True):
            each.sendall(head(patient.secret, f"content-length: {len(content)}") + content)
        patient.process.send_signal(signal.SIGCONT)
        answers = [each.recv(4096) for each in sockets]

    batches = set((patient.inbox / "events").glob("*.jsonl")) - before
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    assert {each.body for each in waiting(patient)} >= set(contents)
    assert len(batches) < len(contents)


def test_events_are_taken_into_store_and_database_without_a_run(tmp_path: Path) -> None:
    contents = [body(kind) for kind in SessionEventType]
    with receiving(tmp_path, sweep_interval_s=1) as receiver:
        for content in contents:
            receiver.post(content)
        wait_until(lambda: not waiting(receiver))

    with installed(tmp_path), reading() as session:
        found = session.exec(select(SessionEventRow)).all()
        assert {each.type for each in found} == set(SessionEventType)
        assert session.exec(select(DeliveryRow)).all() == []
        lines = [store().read_bytes(f"events/{batch}.jsonl") for batch in {each.batch for each in found}]
    assert {each.body for each in events_in(b"".join(lines)) if each} == set(contents)
    assert PERSON not in receiver.log.read_text()


def test_receivers_that_share_an_inbox_and_are_killed_lose_no_acknowledged_event(tmp_path: Path) -> None:
    acknowledged = list[bytes]()
    values: dict[str, Any] = {"sweep_interval_s": 0.5, "webhook_secrets": "the same secret of both"}
    (tmp_path / "second").mkdir()
    for attempt in range(2):
        shared: dict[str, Any] = {"inbox_url": tmp_path / "inbox", "store_url": tmp_path / "store"}
        shared["database_url"] = f"sqlite:///{tmp_path}/cellar.db"
        with (
            receiving(tmp_path, **shared, **values) as first,
            receiving(tmp_path / "second", **shared, **values) as second,
            ThreadPoolExecutor(8) as pool,
        ):
            sending = [
                pool.submit(_send_until_it_dies, each, f"{attempt} {number}")
                for number, each in enumerate((first, second) * 4)
            ]
            wait_until(lambda: len(list((tmp_path / "inbox" / "events").glob("*"))) > 20)
            for each in (first, second):
                each.process.kill()
                each.process.wait()
            acknowledged += [content for each in sending for content in each.result()]

    with installed(tmp_path, **shared):
        take_in(session_events.batches())
        rows = {each.reference for each in all_of(select(SessionEventRow))}
    assert len(acknowledged) > 20
    assert {json.loads(content)["session"]["reference"] for content in acknowledged} <= rows


def _send_until_it_dies(receiver: Receiver, prefix: str) -> list[bytes]:
    acknowledged: list[bytes] = []
    with httpx.Client(base_url=receiver.url, trust_env=False, timeout=LONGEST_S) as client:
        for number in itertools.count():
            content = body(reference=f"{prefix} {number}")
            try:
                answer = client.post("/webhooks/cellosign", content=content, headers={"authorization": receiver.secret})
            except httpx.HTTPError:
                return acknowledged
            assert answer.json()["status"] == "0"
            acknowledged.append(content)
    raise AssertionError


def test_events_reach_an_inbox_in_a_bucket(tmp_path: Path, s3_server: str) -> None:
    url, content, large = f"s3://archives/{secrets.token_hex(8)}", body(), large_body()
    settings = {"inbox_url": url, "database_url": database_that_is_away()} | bucket_at(s3_server)
    with receiving(tmp_path, is_migrated=False, **settings) as receiver:
        answers = [receiver.post(each).json()["status"] for each in (content, large)]
    with installed(tmp_path, **settings):
        place = session_events.place()
        lines = b"".join(place.read_bytes(name) for name in session_events.batches())
        kept = place.read_bytes(f"{receipt_id_of(large)}.body")

    assert answers == ["0", "0"]
    assert {each.body for each in events_in(lines) if each} == {content, None}
    assert kept == large


def test_inbox_that_takes_nothing_answers_503_until_it_does_again(patient: Receiver) -> None:
    before, heals = body(reference="before"), body(reference="heals")
    patient.post(before)
    away = patient.inbox.rename(patient.inbox.with_name("away"))
    patient.inbox.write_bytes(b"")

    refused = [patient.post(each) for each in (heals, large_body())]

    patient.inbox.unlink()
    away.rename(patient.inbox)
    for answer in refused:
        assert_refused(answer, 503, "UNAVAILABLE")
        assert answer.headers["retry-after"]
    assert patient.post(heals).json()["status"] == "0"
    assert {before, heals} <= {each.body for each in waiting(patient)}


def test_full_disk_refuses_events_until_there_is_room_again(patient: Receiver) -> None:
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", patient.inbox]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        answers = [patient.post(body(reference=f"{each}", note="x" * 9000)) for each in range(20)]
        acknowledged = {each.json()["document"]["reference"] for each in answers if each.status_code == 200}
        kept = {each.receipt_id for each in waiting(patient)}
    finally:
        subprocess.run(["umount", patient.inbox], check=True)
    assert {each.status_code for each in answers} == {200, 503}
    assert kept == acknowledged
    assert patient.post(body()).json()["status"] == "0"


def test_compressed_event_is_refused(patient: Receiver) -> None:
    answer = patient.post(body(), {"authorization": patient.secret, "content-encoding": "br"})

    assert_refused(answer, 415, "COMPRESSED")


def test_hostile_events_keep_the_receiver_responsive(patient: Receiver) -> None:
    """The largest documents that the scanner takes, and the deepest, as events of known and unknown types."""
    deep = b'{"a":' * 60 + b"1" + b"}" * 60
    many = b"[" + b",".join([b"{}"] * 90_000) + b"]"
    for kind, hostile in itertools.product(
        (b"WHEF_SESSION_CREATED", b"WHEF_ELSE"), (deep, many, b'"' + b"x" * (8 << 20) + b'"')
    ):
        content = b'{"event":{"type":"%b"},"session":{"id":"s","labels":%b},"sessions":%b}' % (kind, deep, hostile)
        answer = patient.post(content)

        assert answer.json()["status"] == "0", answer.text
        assert hashlib.sha256(content).hexdigest() in {each.receipt_id for each in waiting(patient)}
