"""`POST /webhooks/cellosign/NAME` over real HTTP: each source opens for its own secrets alone."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from adapters.store import sources
from models.sources import StatedTerms
from services import sources as services_sources
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.api.senders import receipt_id_of
from tests.conftest import wait_until
from tests.installations import installed
from tests.samples import sample_body
from tests.scrapes import scraped

NO_TERMS = StatedTerms()


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def receiver(folder: Path) -> Iterator[Receiver]:
    with receiving(folder, api_tokens=TOKEN) as receiver:
        yield receiver


def added(folder: Path, name: str) -> str:
    """Add a source as another process does, and return its secret."""
    with installed(folder):
        return services_sources.add(name, NO_TERMS, "a test", now()).secret


def post(receiver: Receiver, name: str, body: bytes, authorization: str) -> httpx.Response:
    path = f"/webhooks/cellosign/{name}"
    return receiver.client.post(path, content=body, headers={"authorization": authorization})


def status(receiver: Receiver, name: str, secret: str) -> int:
    return post(receiver, name, sample_body(f"to {name}"), secret).status_code


def test_source_that_is_added_while_the_receiver_runs_works_at_once(receiver: Receiver, folder: Path) -> None:
    secret, body = added(folder, "retail-il"), sample_body("of retail")

    answer = post(receiver, "retail-il", body, f"Bearer {secret}")

    assert answer.json()["document"]["reference"] == receipt_id_of(body)
    [delivery] = receiver.deliveries_of(receipt_id_of(body))
    assert delivery.source == "retail-il"


def test_refused_body_keeps_its_source(receiver: Receiver, folder: Path) -> None:
    secret = added(folder, "refused")

    answer = post(receiver, "refused", b"<source/>", secret)

    assert answer.status_code == 400
    assert receiver.quarantine()[receipt_id_of(b"<source/>")].source == "refused"


@pytest.mark.parametrize("ending", ["", "/"])
@pytest.mark.parametrize("way", ["Bearer {}", "{}", "Basic"])
def test_secret_opens_its_source_in_each_way_and_with_a_slash_at_the_end(
    receiver: Receiver, folder: Path, way: str, ending: str
) -> None:
    name = f"way-{len(way)}{'-slash' if ending else ''}"
    secret = added(folder, name)
    basic = "Basic " + base64.b64encode(f"anybody:{secret}".encode()).decode()

    assert status(receiver, name + ending, basic if way == "Basic" else way.format(secret)) == 200


def test_no_secret_opens_another_url_and_an_unknown_source_answers_as_a_wrong_secret(
    receiver: Receiver, folder: Path
) -> None:
    one, two = added(folder, "one"), added(folder, "two")
    wrong = [("one", two), ("two", one), ("one", receiver.secret), ("default", one), ("", one), ("one", "")]
    asked = [*wrong, ("nobody", one), ("Ünknown", one)]
    # without a body: whether a body has come before its answer decides whether the connection is closed
    answers = [post(receiver, name, b"", secret) for name, secret in asked]

    assert {each.status_code for each in answers} == {401}
    assert len({each.text for each in answers}) == 1
    assert len({str(sorted(each.headers.items() - {("date", each.headers["date"])})) for each in answers}) == 1


def test_source_default_has_the_secrets_of_the_settings_at_both_urls(receiver: Receiver) -> None:
    assert status(receiver, "default", receiver.secret) == status(receiver, "", receiver.secret) == 200


def test_rotation_opens_for_both_secrets_until_the_overlap_has_passed(receiver: Receiver, folder: Path) -> None:
    old = added(folder, "rotating")
    with installed(folder):
        new = services_sources.rotate("rotating", timedelta(hours=1), now()).secret
        assert [status(receiver, "rotating", each) for each in (old, new)] == [200, 200]
        newest = services_sources.rotate("rotating", timedelta(0), now()).secret

    assert status(receiver, "rotating", newest) == 200
    assert [status(receiver, "rotating", each) for each in (old, new)] == [401, 401]


def test_disabled_source_opens_for_nobody_until_it_is_enabled(receiver: Receiver, folder: Path) -> None:
    secret = added(folder, "paused")
    with installed(folder):
        services_sources.disable("paused", "a test", now())
        wait_until(lambda: status(receiver, "paused", secret) == 401)
        services_sources.enable("paused")

    wait_until(lambda: status(receiver, "paused", secret) == 200)


def test_second_receiver_knows_the_source_too(folder: Path, receiver: Receiver, tmp_path: Path) -> None:
    secret = added(folder, "shared")
    with receiving(tmp_path, store_url=folder / "data" / "store") as other:
        assert [status(each, "shared", secret) for each in (receiver, other)] == [200, 200]


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Put a file in place of the store, so that nothing in it can be read."""
    store = folder / "data" / "store"
    aside = store.rename(store.with_name("aside"))
    store.write_bytes(b"")
    try:
        yield
    finally:
        store.unlink()
        aside.rename(store)


def test_receiver_that_starts_without_its_store_asks_named_sources_to_send_again(tmp_path: Path) -> None:
    secret = added(tmp_path, "retail")
    with ExitStack() as stack:
        with away(tmp_path):
            receiver = stack.enter_context(receiving(tmp_path))
            answers = [post(receiver, name, b"{}", secret) for name in ("retail", "nobody")]

            assert [(each.status_code, each.headers.get("retry-after")) for each in answers] == [(503, "30")] * 2
            assert status(receiver, "", receiver.secret) == 200
            assert receiver.client.get("/readyz").json()["sources"] == "unknown"
        wait_until(lambda: status(receiver, "retail", secret) == 200)
        assert receiver.client.get("/readyz").json()["sources"] == "ok"


def test_receiver_keeps_what_it_knows_while_its_store_is_away(tmp_path: Path) -> None:
    secret = added(tmp_path, "retail")
    with receiving(tmp_path) as receiver:
        assert status(receiver, "retail", secret) == 200
        with away(tmp_path):
            wait_until(lambda: receiver.client.get("/readyz").json()["sources"] == "kept")

            assert status(receiver, "retail", secret) == 200
            assert status(receiver, "retail", "wrong") == 401


def test_deliveries_are_counted_by_known_sources_alone(receiver: Receiver, folder: Path) -> None:
    secret = added(folder, "counted")
    post(receiver, "counted", sample_body("counted"), secret)
    post(receiver, "counted", b"{}", secret)
    post(receiver, "counted", b"{}", "wrong")
    for number in range(3):
        post(receiver, f"guessed-{number}", b"{}", "wrong")

    found = scraped(receiver.url, TOKEN)

    outcomes = ("acknowledged", "refused", "unauthorised", "failed")
    name = "cellar_source_deliveries_total"
    assert [found.value(name, {"source": "counted", "outcome": each}) for each in outcomes] == [1, 1, 1, 0]
    assert "guessed-0" not in receiver.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text
    assert (found.value(name, {"source": "(unknown)", "outcome": "unauthorised"}) or 0) >= 3


def test_damaged_source_stays_as_it_was_known_and_harms_no_other(receiver: Receiver, folder: Path) -> None:
    secret, other = added(folder, "damaged"), added(folder, "sound")
    assert status(receiver, "damaged", secret) == 200
    (folder / "data" / "store" / sources.RECORDS.folder / "damaged.json").write_bytes(b"{")

    assert status(receiver, "sound", other) == 200
    assert status(receiver, "damaged", secret) == 200


def test_store_has_no_secret_of_a_source(receiver: Receiver, folder: Path) -> None:
    secret = added(folder, "secretive")
    post(receiver, "secretive", sample_body("secretive"), secret)
    post(receiver, "secretive", b"{}", f"{secret}x")

    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if secret.encode() in path.read_bytes()]
