"""`/api/bulk-reruns` and `/api/redeliveries` over real HTTP. Prefect does not answer: a batch waits for its driver."""

from collections.abc import Iterator
from typing import Any

import pytest

from models.access import OF_SETTINGS
from models.archive.archive import State
from models.views.batch import BatchView
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.api.json.test_archives_api import assert_error
from tests.batches import fill, filled
from tests.installations import installed

HEADERS = {"authorization": f"Bearer {TOKEN}"}
PATH, REDELIVERIES = "/api/bulk-reruns", "/api/redeliveries"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with two failed archives and a complete archive."""
    folder = tmp_path_factory.mktemp("bulk")
    with receiving(folder, api_tokens=TOKEN) as receiver:
        with installed(folder):
            fill([filled(1), filled(2, cause="RUN_TIMEOUT"), filled(3, State.COMPLETED)])
        receiver.client.headers.update(HEADERS)
        yield receiver


def post(receiver: Receiver, path: str = "", **body: Any) -> Any:
    answer = receiver.client.post(f"{PATH}{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_plan_is_the_default_and_answers_its_id(receiver: Receiver) -> None:
    found = post(receiver, state="failed", cause="RUN_TIMEOUT", by="night shift")

    assert BatchView.model_validate(found)
    assert (found["state"], found["planned"], found["by"]) == ("planned", 1, OF_SETTINGS)
    assert receiver.client.get(f"{PATH}/{found['id']}").json()["items"] == []


def test_actions_answer_the_batch_and_are_recorded_with_the_token(receiver: Receiver) -> None:
    begun = post(receiver, state="failed", dry_run=False)
    assert (begun["state"], begun["planned"], begun["queued"]) == ("running", 2, 2)
    path = f"/{post(receiver, state='failed')['id']}"

    for action, state in (("confirm", "running"), ("pause", "paused"), ("resume", "running"), ("abort", "aborted")):
        assert post(receiver, f"{path}/{action}", by="ann")["state"] == state

    found = receiver.client.get(f"{PATH}{path}").json()
    assert {each["by"] for each in found["actions"]} == {OF_SETTINGS}
    assert [each["state"] for each in found["items"]] == ["queued", "queued"]
    refused = receiver.client.post(f"{PATH}{path}/confirm")
    assert_error(refused, 409, "WRONG_STATE")
    assert refused.json()["error"]["where"] == "batch_id"
    assert_error(receiver.client.post(f"{PATH}{path}/stop"), 422, "BAD_PARAMETER")


BODIES_OF_ANOTHER_TYPE: list[tuple[str, dict[str, Any]]] = [
    *((PATH, {"dry_run": value}) for value in (1, "no", None)),
    *((PATH, {name: True}) for name in ("process_number", "received_after", "state")),
    (PATH, {"status": "failed"}),  # an unknown filter would match more
    *((REDELIVERIES, {name: value}) for name in ("dry_run", "force") for value in (0, "true", None)),
    *(("/api/endpoints/a/rotate", {"overlap_h": value}) for value in ("1", True)),
    ("/api/endpoints/a/disable", {"by": ["a"]}),
    ("/api/archives/a/discrepancies/1/explanation", {"by": "a", "why": "b", "because": "1"}),
    ("/api/missing/1/dismiss", {"by": 1, "why": "b"}),
]


def test_value_of_another_type_than_described_is_refused_and_does_nothing(receiver: Receiver) -> None:
    before = receiver.client.get(PATH).json()

    answers = [(path, body, receiver.client.post(path, json=body)) for path, body in BODIES_OF_ANOTHER_TYPE]

    assert [(path, body) for path, body, answer in answers if answer.status_code != 422] == []
    assert {answer.json()["error"]["code"] for _, _, answer in answers} == {"BAD_PARAMETER"}
    assert answers[0][2].json()["error"]["where"] == "body.dry_run"
    assert receiver.client.get(PATH).json() == before


def test_redelivery_is_listed_apart_with_its_plan_and_filter(receiver: Receiver) -> None:
    found = receiver.client.post(REDELIVERIES, json={"event": "store.damaged", "force": True}).json()

    assert (found["kind"], found["plan"]["messages"]) == ("redeliver", 0)
    assert found["filter"] == {"event": "store.damaged", "force": True, "state": ["dead", "skipped"]}
    assert [each["id"] for each in receiver.client.get(REDELIVERIES).json()["items"]] == [found["id"]]
    assert found["id"] not in receiver.client.get(PATH).text


def test_erasure_is_planned_alone_and_another_person_confirms_it(receiver: Receiver) -> None:
    path = "/api/erasures"
    assert_error(receiver.client.post(path, json={"reason": "asked for"}), 422, "BAD_PARAMETER")
    found = receiver.client.post(path, json={"references": ["filled-000003"], "reason": "asked for"}).json()
    assert (found["state"], found["planned"], found["plan"]["approvers"]) == ("planned", 1, 2)
    its = f"{path}/{found['id']}"

    assert_error(receiver.client.post(f"{its}/confirm"), 409, "SECOND_PERSON")
    assert_error(receiver.client.post(f"{PATH}/{found['id']}/confirm"), 404, "UNKNOWN_BATCH")
    assert receiver.client.get(its).json()["filter"]["reason"] == "asked for"
    assert receiver.client.post(f"{its}/abort").json()["state"] == "aborted"
    assert [each["kind"] for each in receiver.client.get(path).json()["items"]] == ["erase"]
