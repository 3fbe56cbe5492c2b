"""Which values of a skeleton are sealed, compared with a slow oracle and in unusual spellings."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.body.json_text import parse
from domain.secrets.card_secrets import SECRET_NAMES, secret_ranges
from domain.secrets.cards import has_card_number, number_text
from tests.samples import sample_document

VISA = "4580458045804580"
NULL = b"null"


def sealed(skeleton: bytes) -> bytes:
    """Return the skeleton with null in place of each secret."""
    parts, position = [], 0
    for begin, end in secret_ranges(skeleton):
        parts += [skeleton[position:begin], NULL]
        position = end
    return b"".join([*parts, skeleton[position:]])


def result(**members: Any) -> dict[str, Any]:
    return {"payments": [{"transaction_id": "t", "provider_transaction_result": members}]}


def field(value: Any, kind: str = "text") -> dict[str, Any]:
    return {"data": [{"id": "1", "value": value, "type": kind}]}


def test_only_the_secrets_of_the_sample_are_sealed() -> None:
    document = sample_document()
    expected = json.loads(json.dumps(document))
    for name in SECRET_NAMES:
        expected["payments"][0]["provider_transaction_result"][name] = None

    assert json.loads(sealed(json.dumps(document).encode())) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (result(card_id=1), result(card_id=None)),
        (result(auth_number={"a": ["b", VISA]}), result(auth_number=None)),
        (result(cguid=[1, [2]]), result(cguid=None)),
        (result(session_cd=True, total="2100"), result(session_cd=None, total="2100")),
        (result(deeper=[{"card_id": "1", "x": [VISA]}]), result(deeper=[{"card_id": None, "x": [None]}])),
        (result(id=VISA, session_id=int(VISA), remark=VISA), result(id=VISA, session_id=int(VISA), remark=None)),
        (result(id=[VISA]), result(id=[None])),
        (
            result(internal_transaction_id=int(VISA), internal_transaction=VISA, internal_transaction_id_2=VISA),
            result(internal_transaction_id=int(VISA), internal_transaction=None, internal_transaction_id_2=None),
        ),
        (
            result(deeper={"internal_transaction_id": VISA}, internal_transaction_id=[VISA]),
            result(deeper={"internal_transaction_id": VISA}, internal_transaction_id=[None]),
        ),
        (result(internal_transaction_id="authNumber=1"), result(internal_transaction_id=None)),
        (
            result(cardId="1", AuthNumber=1, sessionCD=[1], cgUid={}),
            result(cardId=None, AuthNumber=None, sessionCD=None, cgUid=None),
        ),
        (result(raw="<x><cardId>1</cardId></x>", code="000"), result(raw=None, code="000")),
        (result(deeper={"raw": "auth_number=1"}, lines=["a", 1]), result(deeper={"raw": None}, lines=[None, 1])),
        (
            {"payments": [{"provider_transaction_result": ["<authNumber>1</authNumber>", {"total": "1"}]}]},
            {"payments": [{"provider_transaction_result": [None, {"total": "1"}]}]},
        ),
        (
            {"payments": [{"card_id": "1", "authNumber": "1", "card_no": VISA, "transaction_id": VISA, "amount": 1}]},
            {"payments": [{"card_id": None, "authNumber": None, "card_no": None, "transaction_id": VISA, "amount": 1}]},
        ),
        (result(deeper={VISA: 1, "x": VISA}), result(deeper=None)),
        (result(**{VISA: 1}), {"payments": [{"transaction_id": "t", "provider_transaction_result": None}]}),
        (
            {"payments": [{"provider_transaction_result": '{"card_id": "1"}'}]},
            {"payments": [{"provider_transaction_result": None}]},
        ),
        (field(f"pay with {VISA[:4]} {VISA[4:]}"), field(None)),
        (field(int(VISA)), field(None)),
        (field([1, {"a": VISA, "id": VISA}]), field([1, {"a": None, "id": VISA}])),
        (field(float(VISA)), field(None)),
        (
            {"data": [{"meta": {"card": VISA, "deeper": [{"x": int(VISA)}], "id": VISA, "geocoder": "160"}}]},
            {"data": [{"meta": {"card": None, "deeper": [{"x": None}], "id": VISA, "geocoder": "160"}}]},
        ),
    ],
)
def test_secret_of_any_type_and_depth_is_sealed(before: Any, after: Any) -> None:
    assert json.loads(sealed(json.dumps(before).encode())) == after


@pytest.mark.parametrize(
    "document",
    [
        {"card_id": "1", "cguid": VISA, "value": VISA},
        {"payments": [{"transaction_id": VISA, "provider_transaction_reference": VISA, "status": "failed"}]},
        {"payments": {"x": {"provider_transaction_result": {"card_id": "1"}}}},
        {"data": [{"id": VISA, "value": "1700000000006", "meta": {"value": "1"}}]},
        {"sessions": [{"payments": [{"provider_transaction_result": {"card_id": "1"}}]}]},
        field("33.4580458045804580,35.5", "location"),
    ],
)
def test_values_elsewhere_and_other_numbers_are_not_sealed(document: Any) -> None:
    assert secret_ranges(json.dumps(document).encode()) == []


@pytest.mark.parametrize("transaction_id", [VISA, int(VISA)])
@pytest.mark.parametrize("value", [VISA, int(VISA), f" {VISA} "])
def test_payment_field_that_names_a_transaction_is_not_sealed(transaction_id: Any, value: Any) -> None:
    payments = [{"transaction_id": transaction_id}]

    assert secret_ranges(json.dumps(field(value, "payment") | {"payments": payments}).encode()) == []
    assert len(secret_ranges(json.dumps(field(value, "payment") | {"payments": []}).encode())) == 1
    assert len(secret_ranges(json.dumps(field(value, "text") | {"payments": payments}).encode())) == 1


@pytest.mark.parametrize(
    ("skeleton", "expected"),
    [
        (rb'{"\u0070ayments":[{"provider_transaction_result":{"card\u005fid" : "1"}}]}', [b'"1"']),
        (rb'{"data":[{"value":"\u0034580458045804580"}]}', [rb'"\u0034580458045804580"']),
        (rb'{"data":[{"value":"\"\\4580458045804580"}]}', [rb'"\"\\4580458045804580"']),
        (
            b'{"payments":[{"provider_transaction_result":{"cguid":1,"cguid":\t"2" ,"cguid":[ 3 ]}}]}',
            [b"1", b'"2"', b"[ 3 ]"],
        ),
        (b'{"payments":[],"payments":[{"provider_transaction_result":{"cguid":-1.5e3}}]}', [b"-1.5e3"]),
        (b'\xef\xbb\xbf {"data" : [ { "value" : 4580458045804580.0 } ] }', [b"4580458045804580.0"]),
        (b'{"data":{"value":4.58045804580458e15,"value":4.580458045804580e15}}', [b"4.580458045804580e15"] * 2),
        (b'{"data":[[{"value":"4580-4580-4580-4580"}]]}', [b'"4580-4580-4580-4580"']),
    ],
)
def test_unusual_spelling_hides_no_secret(skeleton: bytes, expected: list[bytes]) -> None:
    found = [skeleton[begin:end] for begin, end in secret_ranges(skeleton)]

    assert [each.replace(b"4.58045804580458e15", b"4.580458045804580e15") for each in found] == expected


Pairs = list[tuple[str, Any]]


class Members(list[tuple[str, Any]]):
    """An object that keeps members of equal names."""


def oracle(document: Any, transaction_ids: set[str]) -> Any:
    """Return the document with None in place of each secret, by recursion over the standard library's parse."""

    def listed(value: Any, zone: str) -> Any:
        return [None if zone == "result" and isinstance(each, str) else inside(each, zone) for each in value]

    def inside(value: Any, zone: str) -> Any:
        if isinstance(value, Members):
            return members(value, zone)
        if isinstance(value, list):
            return listed(value, zone)
        if zone == "result" and value == TELLING:
            return None
        return None if zone in ("result", "value") and has_card_number(text(value)) else value

    def members(value: Members, zone: str) -> Any:
        if zone in ("result", "value") and any(has_card_number(name) for name, _ in value):
            return None
        kinds = [each for name, each in value if name == "type" and not isinstance(each, list)]
        return Members((name, member(name, each, zone, kinds[-1:])) for name, each in value)

    def member(name: str, value: Any, zone: str, kinds: list[Any]) -> Any:
        is_plain = not isinstance(value, list)
        if zone in ("result", "payments") and name in (*SECRET_NAMES, "cgUid"):
            return None
        if zone in ("result", "value"):
            is_id = name in ID_NAMES
            return value if is_id and is_plain and value != TELLING else inside(value, zone)
        if zone == "payments" and name == "provider_transaction_result":
            return None if isinstance(value, str) else inside(value, "result")
        if zone == "payments":
            return inside(value, "other" if name in ID_NAMES else "value")
        if zone == "data" and name in ("value", "meta"):
            is_transaction = is_plain and kinds == ["payment"] and text(value).strip() in transaction_ids
            return value if is_transaction else inside(value, "value")
        return inside(value, {("root", "payments"): "payments", ("root", "data"): "data"}.get((zone, name), "other"))

    return members(document, "root")


def text(value: Any) -> str:
    return value if isinstance(value, str) else number_text(value) if hasattr(value, "adjusted") else str(value)


ID_NAMES = ("id", "transaction_id", "session_id", "provider_transaction_reference", "internal_transaction_id")
TELLING = "<authNumber>1</authNumber>"
NAMES = [
    "cgUid",
    "payments",
    "data",
    "value",
    "meta",
    "type",
    "id",
    "provider_transaction_result",
    "transaction_id",
    "internal_transaction_id",
    "cguid",
    VISA,
    "x",
]
scalars = st.sampled_from(
    [TELLING, "payment", VISA, "4580 4580 4580 4580", "x", "\u05d0", '"', "", 17, int(VISA), True, None]
)


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(
        st.tuples(st.sampled_from(NAMES).flatmap(spelled), st.sampled_from([":", " :\n"]), inner), max_size=4
    )
    return pairs.map(lambda each: "{" + " ,".join("".join(pair) for pair in each) + "}")


def spelled(value: Any) -> st.SearchStrategy[str]:
    if not isinstance(value, str):
        return st.just(json.dumps(value))
    escaped = "".join(f"\\u{ord(each):04x}" for each in value)
    return st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False), f'"{escaped}"'])


values = st.recursive(
    scalars.flatmap(spelled),
    lambda inner: objects(inner) | st.lists(inner, max_size=3).map(lambda each: f"[{','.join(each)}]"),
    max_leaves=12,
)
payments = objects(values).map(
    lambda each: f'"payments":[{{"provider_transaction_result":{each},"transaction_id":"{VISA}"}}]'
)
fields = values.map(lambda each: f'"data":[{{"value":{each},"type":"payment"}},{{"value":{each},"meta":{each}}}]')
documents = st.lists(payments | fields | values.map(lambda each: f'"x":{each}'), max_size=4)


@given(documents, st.sampled_from(["", "\ufeff", "\ufeff\n "]))
def test_sealed_values_agree_with_the_oracle(parts: list[str], begin: str) -> None:
    skeleton = f"{begin}{{{','.join(parts)}}}".encode()
    document = parsed(skeleton)
    transaction_ids = {VISA} if any(part.startswith('"payments"') for part in parts) else set()

    assert parsed(sealed(skeleton)) == oracle(document, transaction_ids)
    assert parse(sealed(skeleton)) is not None


def parsed(skeleton: bytes) -> Any:
    return json.loads(skeleton.removeprefix(b"\xef\xbb\xbf"), object_pairs_hook=Members)
