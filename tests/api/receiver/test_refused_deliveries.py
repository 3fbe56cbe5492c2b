"""A refused delivery leaves a line in the log, a durable record, and a row that the API shows."""

import json
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from adapters.database.migration import migrate
from adapters.observation.log import reference_digest
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.api.senders import receipt_id_of
from tests.conftest import url_of, wait_until
from tests.installations import installed
from tests.samples import sample_body

REFERENCE = "Marker-314159"
HALF = sample_body(REFERENCE)[:-70]
"""An archive that was cut off, and names its process."""
OF_NOBODY = b"<xml/>"
WRONG_FILE = sample_body("with a file", attachments=[{"id": "a", "content": "no base64!"}])


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database, for a receiver that migrates it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cellar.db"
    url: str = request.getfixturevalue("postgres_installation")
    return url


def get(receiver: Receiver, path: str) -> httpx.Response:
    return receiver.client.get(path, headers={"authorization": f"Bearer {TOKEN}"})


def listed(receiver: Receiver, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = get(receiver, f"/api/refused{query}").raise_for_status().json()["items"]
    return items


def wait_until_listed(receiver: Receiver, number: int) -> list[dict[str, Any]]:
    wait_until(lambda: len(listed(receiver, "?limit=500")) == number)
    return listed(receiver, "?limit=500")


def test_refused_deliveries_are_logged_and_listed(tmp_path: Path, database: str) -> None:
    with receiving(tmp_path, database_url=database, api_tokens=TOKEN) as receiver:
        answers = [receiver.post(body).json()["errordesc"] for body in (HALF, OF_NOBODY, WRONG_FILE, HALF)]
        items = wait_until_listed(receiver, 4)
        last = items[0]["received_at"].replace("+", "%2B")
        filtered = {
            query: [each["receipt_id"] for each in listed(receiver, query)]
            for query in (
                f"?reference={REFERENCE}", "?process_number=100", "?code=NOT_BASE64", f"?received_before={last}",
                f"?received_after={last}", "?reference=nobody",
            )
        }  # fmt: skip
        first_page = get(receiver, "/api/refused?limit=3").json()
        rest = get(receiver, f"/api/refused?limit=3&cursor={first_page['next']}").json()
        wrong = [get(receiver, f"/api/refused?{query}").status_code for query in ("cursor=x", "limit=0")]
        unknown = get(receiver, f"/api/archives/{REFERENCE}")
        nobody = receiver.client.get("/api/refused")

    half, of_nobody, wrong_file = map(receipt_id_of, (HALF, OF_NOBODY, WRONG_FILE))
    assert [each["receipt_id"] for each in items] == [half, wrong_file, of_nobody, half]
    assert items[1] | {"received_at": ""} == {
        "receipt_id": wrong_file,
        "reference": "with a file",
        "process_number": 100,
        "source": "default",
        "code": "NOT_BASE64",
        "where": "attachments[0].content",
        "detail": answers[2].partition(": ")[2],
        "received_at": "",
        "size_bytes": len(WRONG_FILE),
        "released_at": None,
        "dismissed_at": None,
        "dismissed_by": None,
        "dismissed_why": None,
        "withdrawn_at": None,
        "values": {"byte": 2452, "reason": "a character that base64 does not have"},
    }
    assert (items[2]["reference"], items[2]["process_number"], items[2]["code"]) == (None, None, "NOT_JSON")
    assert list(filtered.values()) == [
        [half, half], [half, wrong_file, half], [wrong_file], [wrong_file, of_nobody, half], [], [],
    ]  # fmt: skip
    assert (first_page["items"] + rest["items"], rest["next"]) == (items, None)
    assert wrong == [422, 422]
    assert nobody.status_code == 401
    assert unknown.status_code == 404
    detail = unknown.json()["error"]["detail"]
    assert detail.startswith("a delivery of this process was refused: TRUNCATED: at byte")
    assert f"`cellar quarantine show {half[:10]}`" in detail
    log = receiver.log.read_text()
    line = json.loads(next(line for line in log.splitlines() if wrong_file in line))
    expected = {
        "level": "warning",
        "event": "delivery refused",
        "code": "NOT_BASE64",
        "where": "attachments[0].content",
        "size_bytes": len(WRONG_FILE),
        "reference_digest": reference_digest("with a file"),
    }
    assert {name: line[name] for name in expected} == expected
    assert REFERENCE not in log
    assert "with a file" not in log


def test_refused_delivery_of_a_known_process_is_shown_with_its_archive(tmp_path: Path) -> None:
    with receiving(tmp_path, api_tokens=TOKEN) as receiver:
        receiver.post(sample_body(REFERENCE))
        receiver.post(HALF)
        wait_until_listed(receiver, 1)
        wait_until(lambda: get(receiver, f"/api/archives/{REFERENCE}").is_success)
        archive = get(receiver, f"/api/archives/{REFERENCE}").json()

    assert [(each["receipt_id"], each["code"]) for each in archive["refused"]] == [(receipt_id_of(HALF), "TRUNCATED")]


def test_receiver_that_was_killed_before_the_row_lists_it_at_its_next_start(tmp_path: Path) -> None:
    """The first receiver has no tables, so it cannot have listed the delivery."""
    with receiving(tmp_path, is_migrated=False, api_tokens=TOKEN) as receiver:
        assert receiver.post(HALF).json()["status"] == "-1"
        receiver.process.kill()

    with receiving(tmp_path, api_tokens=TOKEN) as receiver:
        (found,) = wait_until_listed(receiver, 1)

    assert (found["receipt_id"], found["reference"]) == (receipt_id_of(HALF), REFERENCE)


def test_refusals_while_the_database_is_away_are_answered_and_listed_after_its_return(
    tmp_path: Path, postgres_server: str
) -> None:
    """The database does not exist until it returns."""
    name = f"returns_{tmp_path.name.replace('-', '_')}"[:60]
    url = url_of(postgres_server, name)
    with receiving(tmp_path, is_migrated=False, database_url=url, api_tokens=TOKEN, sweep_interval_s=1) as receiver:
        bodies = [b"<%d/>" % number for number in range(20)]
        assert {receiver.post(body).json()["status"] for body in bodies} == {"-1"}
        wait_until(lambda: "refused deliveries are not listed" in receiver.log.read_text())
        assert receiver.client.get("/readyz").status_code == 200

        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        with installed(tmp_path, database_url=url):
            migrate()
        items = wait_until_listed(receiver, 20)

    assert {each["receipt_id"] for each in items} == {receipt_id_of(body) for body in bodies}


def test_flood_of_one_body_is_a_delivery_each_and_one_body(tmp_path: Path) -> None:
    with receiving(tmp_path, api_tokens=TOKEN, sweep_interval_s=1) as receiver:
        for _ in range(300):
            receiver.post(OF_NOBODY)
        items = wait_until_listed(receiver, 300)
        # Nothing is left for the next search.
        folder = receiver.inbox / "quarantine"
        wait_until(lambda: [path.name for path in folder.glob("*.json")] == [])
        bodies = [path.name for path in folder.glob("*.body")]

    assert {each["receipt_id"] for each in items} == {receipt_id_of(OF_NOBODY)}
    assert bodies == [f"{receipt_id_of(OF_NOBODY)}.body"]
    assert len(list((folder / "listed").glob("*.json"))) == 300
