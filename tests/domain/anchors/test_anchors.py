"""Facts about archives, the tree above them, and the texts that name them."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256, sha512
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.anchors import (
    anchor_root,
    fact_of_delivery,
    fact_of_judgement,
    facts_of_receipt,
    leaf_hash,
    leaf_text,
    path_to,
    read_leaf,
    read_statement,
    root_by_path,
    root_of,
    statement_text,
)
from models.store.anchor import Digest, Leaf, Statement

RECEIPT = {
    "receipt_id": "a" * 64,
    "received_at": "2026-11-26T08:00:00Z",
    "completed_at": "2026-11-26T08:00:01.500000Z",
    "size_bytes": 100,
    "state": "completed",
}
DELIVERY = {
    "delivery_id": "d1",
    "receipt_id": "a" * 64,
    "received_at": "2026-11-26T08:00:00Z",
    "outcome": "new",
    "headers": {"content-type": "application/json", "x-request-id": "1"},
    "flow_run_id": None,
}
RUN = {
    "flow_run_id": "r1",
    "attempt": 1,
    "receipt_id": "a" * 64,
    "trigger": "webhook",
    "state": "Completed",
    "failed_task": None,
    "cause_code": None,
    "cause_error": None,
    "cause_sentence": None,
    "started_at": "2026-11-26T08:00:00Z",
    "ended_at": "2026-11-26T08:00:02Z",
}
MESSAGE = {
    "message_id": "m1",
    "receipt_id": "a" * 64,
    "endpoint": "https://example.com",
    "event": "archive.completed",
    "state": "pending",
    "planned_at": "2026-11-26T08:00:02Z",
}
ATTEMPT = {
    "message_id": "m1",
    "attempt": 1,
    "attempted_at": "2026-11-26T08:00:03Z",
    "status_code": 200,
    "error": None,
}
EVENT = {"discrepancy_id": "x", "number": 1, "state": "open", "at": "2026-11-26T08:00:03Z", "by": None, "why": None}


def facts(**rows: Any) -> set[str]:
    every: dict[str, Any] = {
        "receipt": [RECEIPT],
        "delivery": [DELIVERY],
        "run": [RUN],
        "notification": [MESSAGE],
        "notification_attempt": [ATTEMPT],
    }
    return set(facts_of_receipt(every | rows))


def test_facts_of_a_complete_receipt() -> None:
    found = facts()

    assert len(found) == 5
    assert all(len(each) == 32 for each in found)
    assert facts(delivery=[]) < found


def test_column_of_a_later_version_changes_no_fact() -> None:
    assert facts(receipt=[RECEIPT | {"new_column": 1}], run=[RUN | {"new_column": 1}]) == facts()


def test_time_in_another_form_is_the_same_fact() -> None:
    assert facts(receipt=[RECEIPT | {"received_at": "2026-11-26T10:00:00+02:00"}]) == facts()


def test_what_a_run_may_still_change_is_no_fact() -> None:
    waits = facts(receipt=[RECEIPT | {"state": "processing", "completed_at": None}])

    assert len(waits) == 3
    assert waits < facts()
    assert facts(run=[RUN | {"ended_at": None, "state": "Running"}]) < facts()
    assert facts(delivery=[DELIVERY | {"flow_run_id": "r1"}]) == facts()
    assert facts(notification=[MESSAGE | {"state": "delivered"}]) == facts()


def test_order_of_headers_is_no_fact() -> None:
    assert (
        facts(delivery=[DELIVERY | {"headers": {"x-request-id": "1", "content-type": "application/json"}}]) == facts()
    )


def test_every_forged_column_is_another_fact() -> None:
    forged: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "receipt": (RECEIPT, {"received_at": "2026-11-25T08:00:00Z", "completed_at": None, "size_bytes": 1}),
        "delivery": (DELIVERY, {"received_at": "2026-11-25T08:00:00Z", "outcome": "duplicate", "headers": {}}),
        "run": (RUN, {"state": "Failed", "trigger": "rerun", "started_at": "2026-11-25T08:00:00Z", "cause_code": "X"}),
        "notification": (MESSAGE, {"endpoint": "https://elsewhere.example.com", "event": "archive.failed"}),
        "notification_attempt": (ATTEMPT, {"status_code": 500, "error": "gone", "attempted_at": "2026-11-25T08:00Z"}),
    }
    for table, (row, changes) in forged.items():
        for column, value in changes.items():
            assert not facts() <= facts(**{table: [row | {column: value}]}), (table, column)


def test_judgement_is_a_fact_of_its_path_and_its_bytes() -> None:
    made = fact_of_judgement("logs/verdicts/1.json", b"{}")

    assert made == fact_of_judgement("logs/verdicts/1.json", b"{}")
    assert made not in (
        fact_of_judgement("logs/verdicts/2.json", b"{}"),
        fact_of_judgement("logs/verdicts/1.json", b""),
    )


def test_delivery_repeats_one_version() -> None:
    made = fact_of_delivery("a" * 64, 1)

    assert made not in (fact_of_delivery("a" * 64, 2), fact_of_delivery("b" * 64, 1))


LEAF = Leaf("archives/a/b/c/urn%3acellar%3ap", 2, "ab" * 32, ("01" * 32, "02" * 32), ("0f" * 16,))
LEAF_TEXT = (
    '{"facts":["' + "0f" * 16 + '"],"inventory_sha256":"' + "ab" * 32 + '","key":"archives/a/b/c/urn%3acellar%3ap",'
    '"receipt_ids":["' + "01" * 32 + '","' + "02" * 32 + '"],"version":2}'
).encode()
STATEMENT = Statement(2, datetime(2026, 11, 26, 1, 0, tzinfo=UTC), 7, "cd" * 32, "ef" * 32, "01" * 32)
STATEMENT_TEXT = (
    '{"at":"2026-11-26T01:00:00+00:00","before":"' + "ef" * 32 + '","digest":"sha256","format":"cellar anchor 2",'
    '"key":"' + "01" * 32 + '","leaves":7,"number":2,"root":"' + "cd" * 32 + '"}'
).encode()
OF_SHA512 = replace(STATEMENT, key="ab" * 32, root="cd" * 64, digest=Digest.SHA512)
OF_SHA512_TEXT = (
    '{"at":"2026-11-26T01:00:00+00:00","before":"' + "ef" * 32 + '","digest":"sha512","format":"cellar anchor 2",'
    '"key":"' + "ab" * 32 + '","leaves":7,"number":2,"root":"' + "cd" * 64 + '"}'
).encode()


def test_texts_have_one_form_and_are_read_again() -> None:
    assert leaf_text(LEAF) == LEAF_TEXT
    assert read_leaf(LEAF_TEXT) == LEAF
    for statement, text in ((STATEMENT, STATEMENT_TEXT), (OF_SHA512, OF_SHA512_TEXT)):
        assert statement_text(statement) == text
        assert read_statement(text) == statement


def test_root_of_an_anchor_is_the_digest_of_its_statement() -> None:
    assert anchor_root(STATEMENT) == sha256(STATEMENT_TEXT).hexdigest()
    assert anchor_root(OF_SHA512) == sha512(OF_SHA512_TEXT).hexdigest()


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", LEAF_TEXT + b" ", LEAF_TEXT.replace(b":2}", b":2.0}")])
def test_other_text_is_no_leaf(text: bytes) -> None:
    with pytest.raises(ValueError, match="expected the text of a leaf"):
        read_leaf(text)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"null", b"[]", STATEMENT_TEXT + b"\n", STATEMENT_TEXT[:-1]),
        OF_SHA512_TEXT.replace(b"anchor 2", b"anchor 1"),
        OF_SHA512_TEXT.replace(b"sha512", b"md5"),
        OF_SHA512_TEXT.replace(b'"key":"' + b"ab" * 32 + b'",', b""),
    ],
)
def test_other_text_is_no_statement(text: bytes) -> None:
    with pytest.raises(ValueError, match="expected the statement of an anchor"):
        read_statement(text)


LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=70)
DIGESTS = st.sampled_from(Digest)


def reference_root(texts: list[bytes], digest: Digest) -> bytes:
    """Follow the definition of RFC 6962, section 2.1: split at the largest power of two below the size."""
    if len(texts) == 1:
        return hashlib.new(digest, b"\0" + texts[0]).digest()
    split = 1 << (len(texts) - 1).bit_length() - 1
    below = reference_root(texts[:split], digest) + reference_root(texts[split:], digest)
    return hashlib.new(digest, b"\1" + below).digest()


def test_empty_tree_has_the_digest_of_nothing() -> None:
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(LEAVES, DIGESTS)
def test_root_is_that_of_the_definition(texts: list[bytes], digest: Digest) -> None:
    assert root_of(leaf_hash(text, digest) for text in texts) == reference_root(texts, digest)


@given(LEAVES, DIGESTS, st.data())
def test_path_of_each_leaf_leads_to_the_root(texts: list[bytes], digest: Digest, data: st.DataObject) -> None:
    hashes = [leaf_hash(text, digest) for text in texts]
    index = data.draw(st.integers(0, len(texts) - 1))

    assert root_by_path(hashes[index], index, len(texts), path_to(hashes, index)) == root_of(hashes)


@given(LEAVES, st.data())
def test_altered_leaf_or_path_does_not_lead_to_the_root(texts: list[bytes], data: st.DataObject) -> None:
    hashes = [leaf_hash(text) for text in texts]
    index = data.draw(st.integers(0, len(texts) - 1))
    path = path_to(hashes, index)
    root = root_of(hashes)

    assert root_by_path(leaf_hash(b"another leaf"), index, len(texts), path) != root
    assert root_by_path(hashes[index], index, len(texts), [*path, bytes(32)]) is None
    if path:
        cut = data.draw(st.integers(0, len(path) - 1))
        assert root_by_path(hashes[index], index, len(texts), path[:cut]) is None
        assert root_by_path(hashes[index], index, len(texts), [*path[:cut], bytes(32), *path[cut + 1 :]]) != root


def test_leaf_outside_the_tree_has_no_path() -> None:
    with pytest.raises(IndexError):
        path_to([leaf_hash(b"")], 1)
    assert root_by_path(leaf_hash(b""), 1, 1, []) is None
