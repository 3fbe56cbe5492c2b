"""Posts bodies that are not archives, and unusual bodies that are."""

import gzip
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest

from adapters.inbox.quarantine import erase, headers_of
from tests.api.conftest import Receiver
from tests.api.senders import MARKER, assert_refused, receipt_id_of
from tests.installations import installed
from tests.samples import sample_body, sample_document


def marked(**members: Any) -> bytes:
    """Return an archive full of personal data, with members of the root replaced."""
    document = sample_document() | {"reference": MARKER, MARKER: [MARKER]}
    document["sessions"][0] |= {"author": MARKER, "recipient": {"name": MARKER, MARKER: MARKER}}
    document["attachments"][0]["filename"] = MARKER
    return json.dumps(document | members).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(marked()).items() if key != name}).encode()


def with_content(content: Any) -> bytes:
    return marked(attachments=[{"id": MARKER, "filename": MARKER, "mimetype": "image/png", "content": content}])


BAD_INPUT: dict[str, tuple[bytes, int, str]] = {
    "not JSON": (b"<xml>Marker-314159</xml>", 400, "NOT_JSON"),
    "empty": (b"", 400, "EMPTY_BODY"),
    "a list": (b'["Marker-314159"]', 400, "NOT_AN_OBJECT"),
    "NaN": (marked(latitude=float("nan")), 400, "NOT_JSON"),
    "wrong UTF-8": (marked().replace(b"Marker-314159", b"Marker-314159\xff"), 400, "NOT_UTF8"),
    "gzip": (gzip.compress(marked(), mtime=0), 415, "COMPRESSED"),
    "deflate": (zlib.compress(marked()), 415, "COMPRESSED"),
    "zstd": (b"\x28\xb5\x2f\xfd" + zlib.compress(marked()), 415, "COMPRESSED"),
    "too deep": (b'{"Marker-314159":' + b"[" * 64 + b"]" * 64 + b"}", 400, "TOO_DEEP"),
    "truncated": (marked()[:-1], 400, "TRUNCATED"),
    "over-long": (marked() + marked(), 400, "NOT_JSON"),
    "no event": (without("event"), 422, "EVENT_MISSING"),
    "a field changed": (marked(event={"type": "WHEF_FORM_FIELD_CHANGED"}), 422, "FORM_FIELD_CHANGED"),
    "a session event of no session": (
        marked(event={"type": "WHEF_SESSION_CREATED"}, session=MARKER, sessions=[], reference=None),
        422,
        "SESSION_MISSING",
    ),
    "no reference": (without("reference"), 422, "REFERENCE_MISSING"),
    "reference is too long": (marked(reference=(MARKER * 20)[:256]), 422, "BAD_REFERENCE"),
    "reference with half an emoji": (marked(reference=f"{MARKER}\ud83d"), 422, "BAD_REFERENCE"),
    "no sessions": (without("sessions"), 422, "SESSIONS_MISSING"),
    "content is words": (with_content(f"{MARKER} is not base64!"), 422, "NOT_BASE64"),
    "content of the document": (marked(signed_document={"content": f"%{MARKER}"}), 422, "NOT_BASE64"),
    "too much beside the files": (marked(note=MARKER * 1_300_000), 413, "SKELETON_TOO_LARGE"),
    "too many values": (marked(note=[[]] * 300_000), 413, "TOO_MANY_VALUES"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_refused_and_kept_in_quarantine(receiver: Receiver, name: str) -> None:
    """The answer, the log and the stored reason repeat nothing of the body."""
    body, status, code = BAD_INPUT[name]
    waiting, logged = receiver.waiting(), receiver.log.stat().st_size

    answer = receiver.post(body)

    assert_refused(answer, status, code)
    entry = receiver.quarantine()[receipt_id_of(body)]
    assert entry.code.startswith(code)
    assert entry.size_bytes == len(body)
    assert (receiver.inbox / "quarantine" / f"{entry.receipt_id}.body").read_bytes() == body
    assert receiver.waiting() == waiting
    reported = answer.text + repr(replace(entry, reference=None)) + receiver.log.read_bytes()[logged:].decode()
    assert "314159" not in reported.replace(entry.receipt_id, "")
    assert "Traceback" not in reported


def coded(receiver: Receiver, coding: str) -> dict[str, str]:
    return {"authorization": f"Bearer {receiver.secret}", "content-encoding": coding}


def test_body_that_its_header_calls_compressed_is_refused_and_kept_in_quarantine(receiver: Receiver) -> None:
    """Brotli has no first bytes by which it is recognised."""
    body = b"brotli of 314159"

    answer = receiver.post(body, coded(receiver, "br"))

    assert_refused(answer, 415, "COMPRESSED at content-encoding")
    assert "switch compression off" in answer.text
    delivery = receiver.quarantine()[receipt_id_of(body)]
    assert delivery.code == "COMPRESSED"
    with installed(receiver.log.parent, inbox_url=receiver.inbox):
        kept = headers_of(delivery.delivery_id)
        assert (kept["content-encoding"], "authorization" in kept) == ("br", False)
        erase([(delivery.delivery_id, delivery.receipt_id)])
        assert headers_of(delivery.delivery_id) == {}


def test_header_that_names_no_coding_changes_nothing(receiver: Receiver) -> None:
    answer = receiver.post(sample_body("identity"), coded(receiver, "identity"))

    assert answer.json()["status"] == "0"


def test_receiver_still_works_after_bad_input(receiver: Receiver) -> None:
    assert receiver.client.get("/healthz").status_code == 200
    assert receiver.client.get("/readyz").status_code == 200
    assert receiver.post(sample_body("after all of it")).json()["status"] == "0"


ACCEPTED: dict[str, bytes] = {
    "unknown fields": sample_body("accepted", new={"unknown": [1, None, {"x": True}]}),
    "byte order mark": b"\xef\xbb\xbf" + sample_body("accepted"),
    "blanks around": b" \r\n\t" + sample_body("accepted") + b"\n\n",
    "duplicate keys": sample_body("first").replace(b'{"event"', b'{"reference": 17, "event"', 1)[:-1]
    + b', "reference": "accepted"}',
    "NUL": sample_body("accepted", note="a\0b"),
    "half an emoji": sample_body("accepted", note="cut \ud83d in two \ude00"),
    "no files": sample_body("accepted", attachments=[], signed_document=None),
    "a text of a million commas": sample_body("accepted", note=",[{" * 400_000),
    "numbers of any size": sample_body("accepted")[:-1] + b', "big": 1' + b"0" * 5000 + b', "huge": 1e999}',
    "optional fields of the wrong type": sample_body("accepted", payments="none", data={"a": 1}, signatures=17),
    "base64 as a data URI": b"data:image/png;base64,QUJD",
    "base64 with escaped characters": b"\\u002B\\u002f\\u0041\\u003D",
    "empty content": b"",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_input_is_accepted_and_stored_byte_for_byte(receiver: Receiver, name: str) -> None:
    body = ACCEPTED[name]
    if not body.endswith((b"}", b"\n\n")):
        body = sample_body("accepted", signed_document={"content": "@"}).replace(b'"@"', b'"%b"' % body)

    answer = receiver.post(body)

    assert answer.json()["errordesc"] == ""
    receipt_id = receipt_id_of(body)
    assert answer.json()["document"]["reference"] == receipt_id
    assert receiver.body_of(receipt_id) == body
    assert {delivery.reference for delivery in receiver.deliveries_of(receipt_id)} == {"accepted"}
