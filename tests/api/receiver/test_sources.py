"""`POST /webhooks/cellosign/NAME` and `POST /oauth/token`: each source opens for its own secrets alone."""

import base64
import hmac
import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from adapters.settings.digests import digest_of
from adapters.settings.settings import settings
from adapters.store import sources
from api.links import senders_signer
from models.sources import StatedTerms
from services import sources as services_sources
from tests.api.conftest import TOKEN, Receiver, from_a_new_address, receiving
from tests.api.receiver.test_public_link import Ahead, LongAgo
from tests.api.senders import assert_refused, receipt_id_of
from tests.conftest import wait_until
from tests.installations import installed
from tests.samples import sample_body
from tests.scrapes import scraped


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def receiver(folder: Path) -> Iterator[Receiver]:
    with receiving(folder, api_tokens=TOKEN) as receiver:
        yield receiver


def added(folder: Path, name: str, **terms: Any) -> str:
    """Add a source as another process does, and return its secret."""
    with installed(folder):
        return services_sources.add(name, StatedTerms(**terms), "a test", now()).secret


def post(receiver: Receiver, name: str, body: bytes, authorization: str) -> httpx.Response:
    path = f"/webhooks/cellosign/{name}"
    return receiver.client.post(path, content=body, headers={"authorization": authorization})


def status(receiver: Receiver, name: str, secret: str) -> int:
    return post(receiver, name, sample_body(f"to {name}"), secret).status_code


def test_source_that_is_added_while_the_receiver_runs_works_at_once_in_each_way(
    receiver: Receiver, folder: Path
) -> None:
    secret, body = added(folder, "retail-il"), sample_body("of retail")
    basic = "Basic " + base64.b64encode(f"anybody:{secret}".encode()).decode()

    for ending, way in itertools.product(("", "/"), (f"Bearer {secret}", secret, basic)):
        assert post(receiver, f"retail-il{ending}", body, way).json()["document"]["reference"] == receipt_id_of(body)
    assert {each.source for each in receiver.deliveries_of(receipt_id_of(body))} == {"retail-il"}
    assert post(receiver, "retail-il", b"<source/>", secret).status_code == 400
    assert receiver.quarantine()[receipt_id_of(b"<source/>")].source == "retail-il"


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


def test_rotation_opens_for_both_secrets_until_the_overlap_has_passed_and_a_disabled_source_for_nobody(
    receiver: Receiver, folder: Path
) -> None:
    old = added(folder, "rotating")
    with installed(folder):
        new = services_sources.rotate("rotating", timedelta(hours=1), now()).secret
        assert [status(receiver, "rotating", each) for each in (old, new)] == [200, 200]
        newest = services_sources.rotate("rotating", timedelta(0), now()).secret
        assert [status(receiver, "rotating", each) for each in (newest, old, new)] == [200, 401, 401]

        services_sources.disable("rotating", "a test", now())
        wait_until(lambda: status(receiver, "rotating", newest) == 401)
        services_sources.enable("rotating")
        wait_until(lambda: status(receiver, "rotating", newest) == 200)


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


def test_receiver_without_its_store_asks_unknown_sources_to_send_again_and_keeps_what_it_knows(tmp_path: Path) -> None:
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
        with away(tmp_path):
            wait_until(lambda: receiver.client.get("/readyz").json()["sources"] == "kept")

            assert [status(receiver, "retail", each) for each in (secret, "wrong")] == [200, 401]


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


def test_damaged_source_stays_as_it_was_known_and_no_file_has_a_secret(receiver: Receiver, folder: Path) -> None:
    secret, other = added(folder, "damaged"), added(folder, "sound")
    assert status(receiver, "damaged", secret) == 200
    (folder / "data" / "store" / sources.RECORDS.folder / "damaged.json").write_bytes(b"{")

    assert [status(receiver, "sound", each) for each in (other, f"{other}x")] == [200, 401]
    assert status(receiver, "damaged", secret) == 200
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if other.encode() in path.read_bytes()]


FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def asked(receiver: Receiver, given: Any, kind: str = FORM, **headers: str) -> httpx.Response:
    """Ask for a token, from an address of its own."""
    content = given if isinstance(given, bytes) else (json.dumps(given) if kind == JSON else urlencode(given)).encode()
    sent = from_a_new_address() | {"content-type": kind} | headers
    return receiver.client.post("/oauth/token", content=content, headers=sent)


def as_client(name: str, secret: str) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}


def as_user(name: str, secret: str) -> dict[str, str]:
    return {"grant_type": "password", "username": name, "password": secret}


def test_token_of_each_grant_opens_its_source_with_and_without_the_word_bearer(
    receiver: Receiver, folder: Path
) -> None:
    secrets = {"default": receiver.secret, "tokens": added(folder, "tokens")}
    for name, given, kind in itertools.product(secrets, (as_client, as_user), (FORM, JSON)):
        answer = asked(receiver, given(name, secrets[name]) | {"scope": "('read,write',)"}, kind)

        assert answer.status_code == 200, answer.text
        assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
        assert answer.headers["cache-control"] == "no-store"
        token = answer.json()["access_token"]
        assert [status(receiver, name, each) for each in (token, f"Bearer {token}")] == [200, 200]
        other = "tokens" if name == "default" else "default"
        assert status(receiver, other, token) == 401


def test_example_of_cellosign_and_basic_give_a_token(receiver: Receiver) -> None:
    """The vendor's page shows the password grant with a client's members."""
    named = as_client("default", receiver.secret)
    basic = "Basic " + base64.b64encode(f"default:{receiver.secret}".encode()).decode()

    assert asked(receiver, named | {"grant_type": "password", "scope": "('read,write',)"}, JSON).status_code == 200
    assert asked(receiver, {"grant_type": "client_credentials"}, authorization=basic).status_code == 200
    del named["grant_type"]
    assert asked(receiver, named).status_code == 200


def test_token_failures_have_the_shape_of_rfc_6749(receiver: Receiver) -> None:
    wrong = "Basic " + base64.b64encode(b"default:wrong").decode()
    too_many: tuple[dict[str, str], int, str] = ({}, 400, "invalid_request")
    cases = [
        (as_client("default", "wrong"), {}, 401, "invalid_client"),
        (as_client("nobody", receiver.secret), {}, 401, "invalid_client"),
        (as_client("", receiver.secret), {}, 401, "invalid_client"),
        (json.dumps(as_client("default", '"\\[{,' * 30)).encode(), {}, 401, "invalid_client"),  # are no members
        ({}, {"authorization": wrong}, 401, "invalid_client"),
        (as_user("default", "wrong"), {}, 400, "invalid_grant"),
        ({"grant_type": "authorization_code"}, {}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, {}, 400, "invalid_request"),
        (b"", {}, 400, "invalid_request"),
        (b"{", {}, 400, "invalid_request"),
        (b"\xff", {}, 400, "invalid_request"),
        (b"[1]", {}, 400, "invalid_request"),
        (b'{"client_id": 1, "client_secret": [2]}', {}, 400, "invalid_request"),
        (b'{"client_id": "default", "client_secret": "\\ud800"}', {}, 400, "invalid_request"),
        (b"client_id=default&client_id=other&client_secret=x", {}, 400, "invalid_request"),
        (b"x" * 20_000, {}, 413, "invalid_request"),
        (json.dumps(as_client("default", "wrong") | {str(each): "x" for each in range(19)}).encode(), *too_many),
        (urlencode(as_client("default", "wrong") | {str(each): "x" for each in range(19)}).encode(), *too_many),
        (json.dumps(as_client("default", "wrong") | {"a": [[[[]]]]}).encode(), *too_many),
        (b'{"a": "' + b'\\"' * 8_000, {}, 400, "invalid_request"),
    ]
    for given, headers, expected, error in cases:
        answer = asked(receiver, given, **headers)
        assert (answer.status_code, answer.json()["error"]) == (expected, error), (given, answer.text)
        assert answer.json()["error_description"]
        assert ("www-authenticate" in answer.headers) == (expected == 401)


def test_fifty_wrong_secrets_for_tokens_a_minute_are_compared_and_a_known_one_is_let_in(receiver: Receiver) -> None:
    here, known = from_a_new_address(), as_client("default", receiver.secret)
    assert asked(receiver, known).status_code == 200
    answers = [asked(receiver, as_client("default", f"guess {n}"), **here) for n in range(55)]

    assert [each.status_code for each in answers] == [401] * 50 + [429] * 5
    assert answers[-1].headers["retry-after"] == "60"
    assert asked(receiver, known, **here).status_code == 200


def test_token_ends_with_its_secret_and_after_an_hour(receiver: Receiver, folder: Path) -> None:
    secret = added(folder, "short")
    token = asked(receiver, as_client("short", secret)).json()["access_token"]
    assert [status(receiver, "short", each) for each in (token, token[:-1], f"{token}=")] == [200, 401, 401]
    with installed(folder):
        for clock, expected in ((LongAgo, 401), (Ahead, 200)):
            signer = clock(settings().active_link_secret(), salt="sender", digest_method=sha256)
            assert status(receiver, "short", signer.sign(senders_signer().unsign(token)).decode()) == expected
        services_sources.rotate("short", timedelta(0), now())

    wait_until(lambda: status(receiver, "short", token) == 401)


def signed(receiver: Receiver, name: str, secret: str, body: bytes, **headers: str) -> httpx.Response:
    sent = {"authorization": secret} | {key.replace("_", "-"): value for key, value in headers.items()}
    return receiver.client.post(f"/webhooks/cellosign/{name}", content=body, headers=sent)


def test_body_without_a_valid_signature_is_refused_and_kept_nowhere(receiver: Receiver, folder: Path) -> None:
    old = added(folder, "signed", signature="X-Signature")
    with installed(folder):
        secret = services_sources.rotate("signed", timedelta(hours=1), now()).secret
        newest, before = services_sources.signing_keys("signed")
    body = sample_body("signed")
    valid = [hmac.new(key.encode(), body, "sha256") for key in (newest, before)]
    before_it = receiver.kept()
    of_the_request = (secret, digest_of(secret))
    by_parts = [hmac.new(each.encode(), body, "sha256").hexdigest() for each in of_the_request]
    wrong = ["", "x", "é", "sha256=", valid[0].hexdigest()[:-1], *by_parts]
    for each in [*wrong, hmac.new(newest.encode(), body + b" ", "sha256").hexdigest()]:
        presented = {b"authorization": secret.encode(), b"x-signature": each.encode("latin-1")}
        answer = receiver.client.post("/webhooks/cellosign/signed", content=body, headers=presented)
        assert_refused(answer, 401, "UNAUTHORIZED at X-Signature")
    assert_refused(post(receiver, "signed", b"{", secret), 401, "UNAUTHORIZED at X-Signature")
    assert receiver.kept() == before_it

    for each in (
        f"sha256={valid[0].hexdigest()}",
        valid[1].hexdigest(),
        base64.b64encode(valid[0].digest()).decode(),
    ):
        assert signed(receiver, "signed", old, body, x_signature=each).status_code == 200
    assert receipt_id_of(body) in {each.receipt_id for each in receiver.deliveries()}


def test_address_that_a_source_does_not_allow_is_refused_also_with_its_secret(receiver: Receiver, folder: Path) -> None:
    networks = "192.0.2.0/24, 2001:db8:7::/48"
    secret = added(folder, "near", addresses=networks)
    with installed(folder):
        services_sources.set_terms("near", {"addresses": networks})
    token = as_client("near", secret)

    for address in ("192.0.2.9", "2001:db8:7::1", "::ffff:192.0.2.9"):  # as the proxy on this machine says
        assert signed(receiver, "near", secret, sample_body("near"), x_forwarded_for=address).status_code == 200
        assert asked(receiver, token, **{"x-forwarded-for": address}).status_code == 200
    for address in ("198.51.100.1", "2001:db8:8::1", "127.0.0.1", "unknown"):
        answer = signed(receiver, "near", secret, sample_body("near"), x_forwarded_for=address)
        assert_refused(answer, 403, "ADDRESS_NOT_ALLOWED")
        refused = asked(receiver, token, **{"x-forwarded-for": address})
        assert (refused.status_code, refused.json()["error"]) == (403, "unauthorized_client")
        wrong = signed(receiver, "near", "wrong", b"{}", x_forwarded_for=address)
        assert_refused(wrong, 401, "UNAUTHORIZED")


def test_last_use_of_each_secret_is_shown(receiver: Receiver, folder: Path) -> None:
    secret = added(folder, "used")
    with installed(folder):
        services_sources.rotate("used", timedelta(hours=1), now())
    status(receiver, "used", secret)
    status(receiver, "used", "wrong")

    def _secrets(name: str) -> list[dict[str, Any]]:
        answer = receiver.client.get("/api/sources", headers={"authorization": f"Bearer {TOKEN}"})
        return next(each["secrets"] for each in answer.json()["items"] if each["name"] == name)

    wait_until(lambda: _secrets("used")[1]["last_used_at"])
    assert _secrets("used")[0]["last_used_at"] is None
    assert datetime.fromisoformat(_secrets("used")[1]["last_used_at"]) <= now()
    assert [each["made_at"] for each in _secrets("default")] == [None]
