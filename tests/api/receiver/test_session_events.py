"""The webhook acknowledges session events once they are durable, many at once, and gives them no run."""

import itertools
import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from adapters.files.store import store
from adapters.inbox import session_events
from domain.completeness.session_events import events_in
from models.completeness.processes import ReceivedEvent, SessionEventRow, SessionEventType
from models.runs.receipt import DeliveryRow
from services.completeness.session_events import take_in
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.api.senders import assert_refused, head, receipt_id_of, sent_until_it_dies
from tests.conftest import wait_until
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


def test_event_is_durable_before_its_answer(patient: Receiver) -> None:
    content = body(SessionEventType.CREATED, "durable")
    before = patient.kept()

    answer = patient.post(content)

    receipt_id = receipt_id_of(content)
    assert answer.json() == {"status": "0", "document": {"reference": receipt_id}, "errordesc": ""}
    (kept,) = [each for each in waiting(patient) if each.receipt_id == receipt_id]
    assert (kept.source, kept.body, kept.size_bytes) == ("default", content, len(content))
    assert patient.kept() == before


def test_event_of_an_unknown_type_is_kept_whole_and_a_type_that_may_be_a_text_is_neither_logged_nor_a_label(
    patient: Receiver,
) -> None:
    for content in (body("WHP_STORAGE", "unknown"), large_body(), sample_body(event={"type": "WHP_X"})):
        logged = patient.log.stat().st_size

        assert patient.post(content).json()["status"] == "0"

        (kept,) = [each for each in waiting(patient) if each.receipt_id == receipt_id_of(content)]
        found = kept.body or (patient.inbox / "events" / f"{kept.receipt_id}.body").read_bytes()
        assert found == content
        assert "session events of unknown types are kept" in patient.log.read_bytes()[logged:].decode()

    logged = patient.log.stat().st_size
    assert patient.post(body(f"{PERSON} 0", PERSON)).json()["status"] == "0"
    metrics = patient.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text
    assert PERSON not in patient.log.read_bytes()[logged:].decode() + metrics
    assert 'cellar_session_events_total{source="default",type="other"}' in metrics


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

    with installed(tmp_path):
        found = all_of(select(SessionEventRow))
        assert {each.type for each in found} == set(SessionEventType)
        assert all_of(select(DeliveryRow)) == []
        lines = [store().read_bytes(f"events/{batch}.jsonl") for batch in {each.batch for each in found}]
    assert {each.body for each in events_in(b"".join(lines)) if each} == set(contents)
    assert PERSON not in receiver.log.read_text()


def test_receivers_that_share_an_inbox_and_are_killed_lose_no_acknowledged_event(tmp_path: Path) -> None:
    acknowledged = list[bytes]()
    values: dict[str, Any] = {"sweep_interval_s": 0.5, "webhook_secrets": "the same secret of both"}
    shared: dict[str, Any] = {"inbox_url": tmp_path / "inbox", "store_url": tmp_path / "store"}
    shared["database_url"] = f"sqlite:///{tmp_path}/cellar.db"
    (tmp_path / "second").mkdir()

    def _bodies(prefix: str) -> Iterator[bytes]:
        return (body(reference=f"{prefix} {number}") for number in itertools.count())

    for attempt in range(2):
        with (
            receiving(tmp_path, **shared, **values) as first,
            receiving(tmp_path / "second", **shared, **values) as second,
            ThreadPoolExecutor(8) as pool,
        ):
            sending = [
                pool.submit(sent_until_it_dies, each, _bodies(f"{attempt} {number}"))
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
        assert receipt_id_of(content) in {each.receipt_id for each in waiting(patient)}
