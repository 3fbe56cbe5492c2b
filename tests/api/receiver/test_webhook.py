"""`POST /webhooks/cellosign` over real HTTP. Prefect does not answer: no response may depend on it."""

import base64
import gzip
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest

from adapters.inbox.quarantine import erase, headers_of
from tests.api.conftest import SECRET, Receiver
from tests.api.senders import MARKER, assert_refused, receipt_id_of
from tests.installations import installed
from tests.samples import sample_body, sample_document


def test_archive_is_stored_once_before_its_answer_with_each_of_its_deliveries(receiver: Receiver) -> None:
    body = sample_body("stored / מסמך")
    headers = {"authorization": receiver.secret, "user-agent": "Cellosign", "x-private": MARKER}
    receipt_id = receipt_id_of(body)

    answer = receiver.post(body, headers)

    (delivery,) = receiver.deliveries_of(receipt_id)
    assert receiver.body_of(receipt_id) == body
    assert (delivery.reference, delivery.size_bytes) == ("stored / מסמך", len(body))
    assert delivery.headers == {"user-agent": "Cellosign"}
    assert answer.status_code == 200
    content = answer.json()
    link = content["document"].pop("public_link")
    assert content == {"status": "0", "document": {"reference": receipt_id}, "errordesc": ""}
    assert link.startswith(f"{receiver.url}/d/")

    again = receiver.client.post("/webhooks/cellosign/", content=body, headers=headers, follow_redirects=False)

    assert again.json()["document"]["reference"] == receipt_id
    assert len(receiver.deliveries_of(receipt_id)) == 2
    assert len([name for name in receiver.waiting() if receipt_id in name]) == 1


def basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"cellosign:{secret}".encode()).decode()


@pytest.mark.parametrize("secret", [SECRET, "the next secret of the sender"])
def test_each_active_secret_is_accepted_in_each_form(without_database: Receiver, secret: str) -> None:
    for way in (f"Bearer {secret}", f"bearer {secret}", secret, basic(secret)):
        assert without_database.post(sample_body(), {"authorization": way}).json()["status"] == "0"
    assert without_database.post(sample_body(), {"x-cellar-secret": secret}).json()["status"] == "0"


def test_sender_without_an_active_secret_is_refused_and_nothing_is_stored(receiver: Receiver) -> None:
    before, secret = receiver.kept(), receiver.secret
    not_ascii = [b"Basic \xff", "Basic סוד".encode(), b"Bearer \xff", b"\xff", "סוד".encode()]
    parts = [secret[:-1], f"{secret}x", f"{secret},{secret}"]
    without_colon = "Basic " + base64.b64encode(secret.encode()).decode()
    not_utf8 = "Basic " + base64.b64encode(b"\xff:\xff").decode()
    words = ["", "Bearer", "Bearer another", "another", "Basic", "Basic !", "Digest secret", not_utf8, without_colon]
    wrong = [*not_ascii, *(each.encode() for each in (*parts, *words, basic(""), basic("another")))]
    presented = [[(name, value)] for name in (b"authorization", b"x-cellar-secret") for value in wrong]

    for headers in ([], *presented):
        answer = receiver.client.post("/webhooks/cellosign", content=sample_body("unauthorized"), headers=headers)
        assert_refused(answer, 401, "UNAUTHORIZED")

    assert receiver.kept() == before


def test_other_methods_and_paths_get_the_documented_refusal(receiver: Receiver) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = receiver.client.request(method, "/webhooks/cellosign")
        assert_refused(answer, 405, "WRONG_METHOD")
        assert answer.headers["allow"] == "POST"
    assert_refused(receiver.client.post("/webhooks/another", content=b"{}"), 404, "UNKNOWN_PATH")


def test_errors_are_answered_with_200_for_a_sender_that_takes_others_for_a_broken_connection(
    without_database: Receiver,
) -> None:
    assert_refused(without_database.post(b""), 200, "EMPTY_BODY")
    assert_refused(without_database.post(sample_body("")), 200, "REFERENCE_MISSING")
    assert_refused(without_database.post(sample_body(), {"authorization": "wrong"}), 200, "UNAUTHORIZED")
    assert_refused(without_database.client.get("/webhooks/cellosign"), 200, "WRONG_METHOD")


def marked(**members: Any) -> bytes:
    """Return an archive full of personal data, with members of the root replaced, or left out for `...`."""
    document = sample_document() | {"reference": MARKER, MARKER: [MARKER]}
    document["sessions"][0] |= {"author": MARKER, "recipient": {"name": MARKER, MARKER: MARKER}}
    document["attachments"][0]["filename"] = MARKER
    return json.dumps({name: each for name, each in (document | members).items() if each is not ...}).encode()


BAD_INPUT: dict[tuple[int, str], bytes] = {
    (400, "EMPTY_BODY"): b"",
    (400, "NOT_AN_OBJECT"): b'["Marker-314159"]',
    (400, "NOT_JSON"): b"<xml>Marker-314159</xml>",
    (400, "NOT_UTF8"): marked().replace(b"Marker-314159", b"Marker-314159\xff"),
    (400, "TOO_DEEP"): b'{"Marker-314159":' + b"[" * 64 + b"]" * 64 + b"}",
    (400, "TRUNCATED"): marked()[:-1],
    (413, "SKELETON_TOO_LARGE"): marked(note=MARKER * 1_300_000),
    (413, "TOO_MANY_VALUES"): marked(note=[[]] * 300_000),
    (415, "COMPRESSED"): gzip.compress(marked(), mtime=0),
    (422, "BAD_REFERENCE"): marked(reference=f"{MARKER}\ud83d"),
    (422, "EVENT_MISSING"): marked(event=...),
    (422, "FORM_FIELD_CHANGED"): marked(event={"type": "WHEF_FORM_FIELD_CHANGED"}),
    (422, "NOT_BASE64"): marked(attachments=[{"id": MARKER, "filename": MARKER, "content": f"%{MARKER}"}]),
    (422, "REFERENCE_MISSING"): marked(reference=...),
    (422, "SESSIONS_MISSING"): marked(sessions=...),
    (422, "SESSION_MISSING"): marked(
        event={"type": "WHEF_SESSION_CREATED"}, session=MARKER, sessions=[], reference=None
    ),
}


@pytest.mark.parametrize(("status", "code"), BAD_INPUT)
def test_bad_input_is_refused_and_kept_in_quarantine(receiver: Receiver, status: int, code: str) -> None:
    """The answer, the log and the stored reason repeat nothing of the body."""
    body = BAD_INPUT[status, code]
    waiting, logged = receiver.waiting(), receiver.log.stat().st_size

    answer = receiver.post(body)

    assert_refused(answer, status, code)
    entry = receiver.quarantine()[receipt_id_of(body)]
    assert (entry.code, entry.size_bytes) == (code, len(body))
    assert (receiver.inbox / "quarantine" / f"{entry.receipt_id}.body").read_bytes() == body
    assert receiver.waiting() == waiting
    reported = answer.text + repr(replace(entry, reference=None)) + receiver.log.read_bytes()[logged:].decode()
    assert "314159" not in reported.replace(entry.receipt_id, "")
    assert "Traceback" not in reported


def test_compressed_body_is_refused_by_its_first_bytes_or_its_header_which_is_kept_with_it(receiver: Receiver) -> None:
    """Brotli has no first bytes by which it is recognised."""
    for body in (zlib.compress(marked()), b"\x28\xb5\x2f\xfd" + zlib.compress(marked())):
        assert_refused(receiver.post(body), 415, "COMPRESSED")
    body, headers = b"brotli of 314159", {"authorization": receiver.secret, "content-encoding": "br"}

    answer = receiver.post(body, headers)

    assert_refused(answer, 415, "COMPRESSED at content-encoding")
    assert "switch compression off" in answer.text
    delivery = receiver.quarantine()[receipt_id_of(body)]
    with installed(receiver.log.parent, inbox_url=receiver.inbox):
        kept = headers_of(delivery.delivery_id)
        assert (kept["content-encoding"], "authorization" in kept) == ("br", False)
        erase([(delivery.delivery_id, delivery.receipt_id)])
        assert headers_of(delivery.delivery_id) == {}
    assert receiver.post(sample_body(), headers | {"content-encoding": "identity"}).json()["status"] == "0"


ACCEPTED: dict[str, bytes] = {
    "unknown fields": sample_body("accepted", new={"unknown": [1, None, {"x": True}]}, payments="none", data={}),
    "byte order mark": b"\xef\xbb\xbf" + sample_body("accepted"),
    "duplicate keys": b'{"reference": 17,' + sample_body("first")[1:-1] + b', "reference": "accepted"}',
    "NUL and half an emoji": sample_body("accepted", note="a\0b cut \ud83d in two \ude00"),
    "no files": sample_body("accepted", attachments=[], signed_document=None),
    "a text of a million commas": sample_body("accepted", note=",[{" * 400_000),
    "numbers of any size": sample_body("accepted")[:-1] + b', "big": 1' + b"0" * 5000 + b', "huge": 1e999}',
    "a data URI": sample_body("accepted", signed_document={"content": "data:image/png;base64,QUJD"}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_input_is_accepted_and_stored_byte_for_byte(receiver: Receiver, name: str) -> None:
    body = ACCEPTED[name]

    answer = receiver.post(body)

    receipt_id = receipt_id_of(body)
    assert answer.json()["document"]["reference"] == receipt_id
    assert receiver.body_of(receipt_id) == body
    assert {delivery.reference for delivery in receiver.deliveries_of(receipt_id)} == {"accepted"}
