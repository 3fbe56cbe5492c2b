"""`POST /webhooks/cellosign` over real HTTP. Prefect does not answer: no response may depend on it."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.conftest import SECRET, Receiver
from tests.api.senders import MARKER, assert_refused, receipt_id_of
from tests.samples import sample_body


def basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"cellosign:{secret}".encode()).decode()


def test_success_has_the_documented_answer(receiver: Receiver) -> None:
    body = sample_body("documented")

    answer = receiver.post(body)

    content = answer.json()
    assert answer.status_code == 200
    assert set(content) == {"status", "document", "errordesc"}
    assert (content["status"], content["errordesc"]) == ("0", "")
    assert set(content["document"]) == {"reference", "public_link"}
    assert content["document"]["reference"] == receipt_id_of(body)
    assert content["document"]["public_link"].startswith(f"{receiver.url}/d/")


def test_body_and_delivery_are_stored_before_the_answer(receiver: Receiver) -> None:
    body = sample_body("stored / מסמך")

    receiver.post(body, {"authorization": receiver.secret, "user-agent": "Cellosign", "x-private": MARKER})

    receipt_id = receipt_id_of(body)
    (delivery,) = receiver.deliveries_of(receipt_id)
    assert receiver.body_of(receipt_id) == body
    assert (delivery.reference, delivery.size_bytes) == ("stored / מסמך", len(body))
    assert delivery.headers == {"user-agent": "Cellosign"}


def test_same_body_twice_is_stored_once_with_two_deliveries(receiver: Receiver) -> None:
    body = sample_body("twice")

    first, second = receiver.post(body), receiver.post(body)

    receipt_id = receipt_id_of(body)
    assert first.json()["document"]["reference"] == second.json()["document"]["reference"] == receipt_id
    assert len(receiver.deliveries_of(receipt_id)) == 2
    assert len([name for name in receiver.waiting() if receipt_id in name]) == 1


def test_thirty_concurrent_senders_are_all_acknowledged(receiver: Receiver) -> None:
    bodies = [sample_body(f"concurrent-{number}") for number in range(30)]

    with ThreadPoolExecutor(30) as pool:
        given = list(pool.map(receiver.post, bodies))

    assert [answer.json()["document"]["reference"] for answer in given] == [receipt_id_of(body) for body in bodies]
    assert [receiver.body_of(receipt_id_of(body)) for body in bodies] == bodies


def test_webhook_url_with_a_trailing_slash_accepts_archives(receiver: Receiver) -> None:
    body = sample_body("slash")

    answer = receiver.client.post(
        "/webhooks/cellosign/", content=body, headers={"authorization": receiver.secret}, follow_redirects=False
    )

    assert answer.json()["document"]["reference"] == receipt_id_of(body)


class TestAuthorization:
    @pytest.mark.parametrize("secret", [SECRET, "the next secret of the sender"])
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("authorization", "Bearer {}"),
            ("authorization", "bearer {}"),
            ("authorization", "{}"),
            ("authorization", "Basic {basic}"),
            ("x-cellar-secret", "{}"),
        ],
    )
    def test_each_active_secret_is_accepted_in_each_form(
        self, without_database: Receiver, secret: str, name: str, value: str
    ) -> None:
        presented = value.format(secret, basic=basic(secret).removeprefix("Basic "))

        answer = without_database.post(sample_body("authorized"), {name: presented})

        assert answer.json()["status"] == "0"

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": ""},
            {"authorization": "Bearer"},
            {"authorization": "Bearer another"},
            {"authorization": "another"},
            {"authorization": "Basic"},
            {"authorization": "Basic !"},
            {"authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
            {"authorization": basic("")},
            {"authorization": basic("another")},
            {"authorization": "Digest secret"},
            {"x-cellar-secret": ""},
            {"x-cellar-secret": "another"},
        ],
        ids=str,
    )
    def test_sender_without_an_active_secret_is_refused_and_nothing_is_stored(
        self, receiver: Receiver, headers: dict[str, str]
    ) -> None:
        before = receiver.kept()

        answer = receiver.post(sample_body("unauthorized"), headers)

        assert_refused(answer, 401, "UNAUTHORIZED")
        assert receiver.kept() == before

    @pytest.mark.parametrize("name", [b"authorization", b"x-cellar-secret"])
    @pytest.mark.parametrize("value", [b"Basic \xff", "Basic סוד".encode(), b"Bearer \xff", b"\xff", "סוד".encode()])
    def test_secret_that_is_not_ascii_is_refused_like_any_wrong_secret(
        self, receiver: Receiver, name: bytes, value: bytes
    ) -> None:
        answer = receiver.client.post("/webhooks/cellosign", content=sample_body(), headers=[(name, value)])

        assert_refused(answer, 401, "UNAUTHORIZED")

    def test_basic_credentials_without_a_colon_are_refused(self, receiver: Receiver) -> None:
        credentials = base64.b64encode(receiver.secret.encode()).decode()

        assert_refused(receiver.post(sample_body(), {"authorization": f"Basic {credentials}"}), 401, "UNAUTHORIZED")

    def test_part_of_a_secret_is_refused(self, receiver: Receiver) -> None:
        for wrong in (receiver.secret[:-1], receiver.secret + "x", f"{receiver.secret},{receiver.secret}"):
            assert_refused(receiver.post(sample_body(), {"authorization": f"Bearer {wrong}"}), 401, "UNAUTHORIZED")


class TestOtherRequests:
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
    def test_other_methods_get_the_documented_refusal(self, receiver: Receiver, method: str) -> None:
        answer = receiver.client.request(method, "/webhooks/cellosign")

        assert_refused(answer, 405, "WRONG_METHOD")
        assert answer.headers["allow"] == "POST"

    def test_other_webhooks_get_the_documented_refusal(self, receiver: Receiver) -> None:
        assert_refused(receiver.client.post("/webhooks/another", content=b"{}"), 404, "UNKNOWN_PATH")


class TestErrorsWith200:
    """`CELLAR_ERROR_HTTP=200` is for a sender that takes any other status for a broken connection."""

    @pytest.mark.parametrize(
        ("body", "headers", "code"),
        [
            (b"", None, "EMPTY_BODY"),
            (sample_body(""), None, "REFERENCE_MISSING"),
            (sample_body(), {"authorization": "wrong"}, "UNAUTHORIZED"),
        ],
    )
    def test_errors_are_answered_with_200(
        self, without_database: Receiver, body: bytes, headers: dict[str, str] | None, code: str
    ) -> None:
        assert_refused(without_database.post(body, headers), 200, code)

    def test_other_methods_are_answered_with_200(self, without_database: Receiver) -> None:
        assert_refused(without_database.client.get("/webhooks/cellosign"), 200, "WRONG_METHOD")
