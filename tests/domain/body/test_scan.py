"""The scanner: which contents it cuts, what it refuses, and that chunk borders never matter."""

import base64
import random
import re
import sys
import time
from collections.abc import Callable
from decimal import Decimal

import pytest

from domain.body.scan import MAX_FILES, MAX_SKELETON_BYTES, Scanner
from domain.body.skeleton import MAX_VALUES
from models.errors import Refused
from tests.domain.body.scan_oracle import Rejected, outcome, scan

# --- helpers ---------------------------------------------------------------------------------------------------------


def refusal(body: bytes, *, max_skeleton_bytes: int = MAX_SKELETON_BYTES) -> Rejected:
    """Return the refusal of a body, which must be the same whole and byte by byte."""
    found = outcome(body, max_skeleton_bytes=max_skeleton_bytes)
    assert isinstance(found, Rejected), "accepted"
    assert outcome(body, [1] * len(body), max_skeleton_bytes=max_skeleton_bytes) == found
    return found


def refused_at(body: bytes, *, max_skeleton_bytes: int = MAX_SKELETON_BYTES) -> tuple[str, int]:
    """Return the code and byte offset of the refusal of a body."""
    found = refusal(body, max_skeleton_bytes=max_skeleton_bytes)
    return found.code, int(re.findall(r"at byte (\d+) of the body", found.detail)[0])


def attachment(content: bytes) -> bytes:
    return b'{"attachments":[{"content":%b}]}' % content


# --- contents --------------------------------------------------------------------------------------------------------


def test_contents_are_cut_and_other_bytes_are_unchanged() -> None:
    body = b'{ "reference" : "r\\u00e9", "attachments" : [ {"id": 1.50, "content": "QUJD" }, {"content":""}], "x":[] }'
    found = scan(body)
    result, contents = found.scan, found.contents
    assert result.skeleton == body.replace(b'"QUJD"', b'"0"').replace(b'""', b'"1"')
    assert contents == [b"ABC", b""]
    assert result.document["reference"] == "ré"
    assert result.document["attachments"] == [{"id": Decimal("1.50"), "content": "0"}, {"content": "1"}]
    assert result.size_bytes == len(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"content":"QUJD"}',
        b'{"extra":{"attachments":[{"content":"QUJD"}],"signed_document":{"content":"QUJD"}}}',
        b'{"extra":[{"attachments":[{"content":"QUJD"}]}]}',
        b'{"sessions":[{"content":"QUJD"}]}',
        b'{"attachments":{"content":"QUJD"}}',
        b'{"attachments":[{"meta":{"content":"QUJD"}}]}',
        b'{"attachments":[{"meta":[{"content":"QUJD"}]}]}',
        b'{"attachments":[[{"content":"QUJD"}]]}',
        b'{"attachments":[["content","QUJD"],"content","QUJD"]}',
        b'{"attachments":[{"x":"content","y":"QUJD"}]}',
        b'{"attachments":[{"content":["QUJD"]}]}',
        b'{"attachments":[{"content":{"content":"QUJD"}}]}',
        b'{"attachments":[{"Content":"QUJD","content ":"QUJD","contents":"QUJD","":"QUJD"}]}',
        b'{"Attachments":[{"content":"QUJD"}],"attachments\\u0000":[{"content":"QUJD"}]}',
        b'{"signed_document":[{"content":"QUJD"}]}',
        b'{"signed_document":{"signed_document":{"content":"QUJD"}}}',
        b'{"a":"attachments","b":[{"content":"QUJD"}]}',
        b'{"a\\"attachments":[{"content":"QUJD"}]}',
    ],
)
def test_strings_at_other_paths_are_not_cut(body: bytes) -> None:
    found = scan(body)
    result, contents = found.scan, found.contents
    assert (result.skeleton, contents) == (body, [])
    assert scan(body, [1] * len(body)) == found


def test_digits_sent_as_content_are_not_taken_for_an_index() -> None:
    found = scan(b'{"attachments":[{"content":"QUJD"},{"content":"0000"}]}')
    result, contents = found.scan, found.contents
    assert result.document["attachments"][1] == {"content": "1"}
    assert contents[1] == base64.b64decode("0000")


@pytest.mark.parametrize(
    "body",
    [
        rb'{"attachments":[{"cont\u0065nt":"QUJD"}]}',
        rb'{"\u0061ttachments":[{"\u0063\u006f\u006E\u0074\u0065\u006e\u0074":"QUJD"}]}',
        rb'{"attachm\u0065nts":[{"content"  :  "QUJD"}]}',
        b'{"attachments"\t:\r\n[ { "content" \n: "QUJD" } ] }',
    ],
)
def test_keys_are_recognised_in_any_spelling(body: bytes) -> None:
    assert scan(body).contents == [b"ABC"]
    assert scan(body, [1] * len(body)).contents == [b"ABC"]


def test_contents_are_checked_without_a_sink() -> None:
    scanner = Scanner()
    scanner.feed(attachment(b'"QUJD"'))
    assert scanner.close().cuts[0].size_bytes == 3
    with pytest.raises(Refused, match="NOT_BASE64"):
        Scanner().feed(attachment(b'"QU*D"'))


# --- accepted JSON ---------------------------------------------------------------------------------------------------


def test_numbers_keep_their_value() -> None:
    result = scan(b'{"a":1.10,"b":1e999,"c":-0,"d":123456789012345678901234567890,"e":-1E-5}').scan
    assert str(result.document["a"]) == "1.10"
    assert result.document == {
        "a": Decimal("1.10"),
        "b": Decimal("1e999"),
        "c": 0,
        "d": 123456789012345678901234567890,
        "e": Decimal("-1E-5"),
    }


def test_integer_of_any_length_is_read() -> None:
    digits = "7" * (sys.get_int_max_str_digits() + 1)
    result = scan(b'{"a":-%b}' % digits.encode()).scan
    assert result.document == {"a": Decimal("-" + digits)}


def test_64_levels_of_nesting_are_accepted_and_65_are_refused() -> None:
    for opening, closing in (b"[", b"]"), (b'{"a":', b"}"), (b'[0,"]",', b"]"):
        deepest = b'{"a":' + opening * 62 + b"[]" + closing * 62 + b"}"
        assert scan(deepest).scan.skeleton == deepest
        too_deep = b'{"a":' + opening * 63 + b"[]" + closing * 63 + b"}"
        assert refused_at(too_deep) == ("TOO_DEEP", 5 + len(opening) * 63)


def test_nesting_far_beyond_the_limit_is_refused() -> None:
    assert refused_at(b"[" * 10_000) == ("TOO_DEEP", 64)
    assert refused_at(b"[" * 10_000, max_skeleton_bytes=65) == ("TOO_DEEP", 64)
    assert refused_at(b"[" * 10_000, max_skeleton_bytes=64) == ("SKELETON_TOO_LARGE", 64)


# --- refusals and their places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "offset"),
    [
        (b"", "EMPTY_BODY", 0),
        (b" \r\n\t", "EMPTY_BODY", 0),
        (b"\xef\xbb\xbf", "EMPTY_BODY", 0),
        (b"null", "NOT_AN_OBJECT", 0),
        (b' \n"text" ', "NOT_AN_OBJECT", 2),
        (b"\xef\xbb\xbf 17", "NOT_AN_OBJECT", 4),
        (b'[{"attachments":[{"content":"?"}]}]', "NOT_AN_OBJECT", 0),
        (b"hello", "NOT_JSON", 0),
        (b'{"a":1}}', "NOT_JSON", 7),
        (b'{"a":[1}', "TRUNCATED", 8),
        (b'{"attachments":[1,, ,{"content":"?"}]}', "NOT_JSON", 18),
        (b'{"a":[1}]', "NOT_JSON", 7),
        (b'{"attachments":[{"content":"QUJD"]}', "NOT_JSON", 33),
        (b'{"attachments":[{"content" "?"}]}', "NOT_JSON", 27),
        (b'{"signed_document":{,"content":"?"}}', "NOT_JSON", 20),
        (b'{"a":nul,"b":1 2}', "NOT_JSON", 5),
        (b'{"a":\xc2\xa01}', "NOT_JSON", 5),
        (b'{"a":NaN}', "NOT_JSON", 5),
        (b'{"NaN":["NaN",-Infinity]}', "NOT_JSON", 14),
        (b'{"a":Infinity}', "NOT_JSON", 5),
        (b'{"a":"NaN","b":[-1,NaNNaN]}', "NOT_JSON", 19),
        (b'{"a":-Infinityu}', "NOT_JSON", 5),
        (b'{"a":[0,1e99999999999999999999.]}', "NOT_JSON", 8),
        (b'{"1e99999999999999999999":1e99999999999999999999}', "NOT_JSON", 26),
        (b'\xef\xbb\xbf{"a":tru}', "NOT_JSON", 8),
        (b'\xef\xbb\xbf\xef\xbb\xbf{"a":1}', "NOT_JSON", 3),
        (b'{"\xc3\xa9":\xc3\xa9}', "NOT_JSON", 6),
        (b'{"a":"\xff"}', "NOT_UTF8", 6),
        (b'{"a":"\xed\xa0\x80"}', "NOT_UTF8", 6),
        ('{"a":1}'.encode("utf-16"), "NOT_UTF8", 0),
        ('{"a":1}'.encode("utf-16-le"), "NOT_JSON", 1),
        (b'{"a":1', "TRUNCATED", 6),
        (b'{"a":"\\"', "TRUNCATED", 8),
        (b'{"attachments":[{"content":"QUJD', "TRUNCATED", 32),
        (b'{"attachments":[{"content":"data:', "TRUNCATED", 33),
        (b'{"attachments":[{"content":"QU\\u00', "TRUNCATED", 34),
        (b'{"attachments":[{"content":', "TRUNCATED", 27),
    ],
)
def test_body_that_is_not_a_json_object_is_refused_with_its_place(body: bytes, code: str, offset: int) -> None:
    assert refused_at(body) == (code, offset)


def test_status_distinguishes_bad_json_bad_content_and_size() -> None:
    assert refusal(b"[").status == 400
    assert refusal(b"1").status == 400
    assert refusal(attachment(b'"?"')).status == 422
    assert refusal(attachment(b'"\n"')).status == 400
    assert refusal(b'{"a":1}', max_skeleton_bytes=6).status == 413


def test_refusals_never_repeat_the_payload() -> None:
    bodies = [
        b'{"s3cret":s3cret}',
        b'{"s3cret":"\\s3cret"}',
        b'{"s3cret":"s3cret"} s3cret',
        b'{"s3cret" "s3cret"}',
        attachment(b'"s3cret!"'),
        attachment(b'"data:s3cret,s3cret"'),
        attachment(b'"data:s3cret\\s,s3cret"'),
        b'"s3cret"',
        b'{"s3cret',
    ]
    for body in bodies:
        assert "s3cret" not in str(refusal(body))


def test_size_limit_covers_the_skeleton_but_not_the_contents() -> None:
    body = attachment(b'"' + b"QUJD" * 1000 + b'"')
    size = len(scan(body).scan.skeleton)
    assert scan(body, max_skeleton_bytes=size).scan.cuts[0].size_bytes == 3000
    for limit in range(size):
        code, offset = refused_at(body, max_skeleton_bytes=limit)
        content = 28  # offset of its first byte, and of its index in the skeleton
        expected = limit if limit < content else 28 + 4000 + max(0, limit - content - 1)
        assert (code, offset) == ("SKELETON_TOO_LARGE", expected)


# --- limits ----------------------------------------------------------------------------------------------------------

_MANY = {
    "attachments[10000]": (b'{"attachments":[', b"7", b"]}", b""),
    "attachments": (b'{"a":0,', b'"attachments":[]', b"}", b'"attachments":'),
    "signed_document": (b"{", b'"signed_document":{}', b"}", b'"signed_document":'),
    "signed_document.content": (b'{"signed_document":{', b'"content":""', b"}}", b'"content":'),
}


@pytest.mark.parametrize("where", _MANY)
def test_first_file_over_the_limit_is_named(where: str) -> None:
    begin, one, end, before = _MANY[where]
    most = begin + b",".join([one] * MAX_FILES)
    scan(most + end)
    found = refusal(most + b"," + one + end)
    assert (found.code, found.where, found.status) == ("TOO_MANY_FILES", where, 413)
    assert f"at byte {len(most) + 1 + len(before)} of the body" in found.detail


def test_too_many_values_are_refused_in_valid_and_invalid_json() -> None:
    many = b'{"a":[%b7' % (b"[]," * (MAX_VALUES // 2))
    for body, chunk_bytes in ((many + b"]}", 1 << 16), (many + b"]} 7", 1 << 16), (many + b"]}", 999)):
        found = outcome(body, [chunk_bytes] * (len(body) // chunk_bytes))
        assert isinstance(found, Rejected)
        assert (found.code, found.status) == ("TOO_MANY_VALUES", 413)


def test_attachments_are_counted_across_duplicate_lists() -> None:
    half = b"[" + b",".join([b"{}"] * (MAX_FILES // 2)) + b"]"
    scan(b'{"attachments":%b,"attachments":%b}' % (half, half))
    found = refusal(b'{"attachments":%b,"attachments":%b,"attachments":[0]}' % (half, half))
    assert (found.code, found.where) == ("TOO_MANY_FILES", "attachments[0]")


_HOSTILE = {
    "brackets": (b'{"a":[', b"[],", b"0]}"),
    "nested brackets": (b'{"a":[', b"[" * 60 + b"]" * 60 + b",", b"0]}"),
    "brackets without commas": (b'{"a":[', b"[]", b"]}"),
    "deep members": (b"{", b'"":' + b"[" * 22 + b"]" * 22 + b",", b'"":0}'),
    "dull members": (b"{", b'"attachments":{},', b'"":0}'),
    "escaped keys": (b"{", rb'"\u0061":1,', b'"":0}'),
    "contents that are none": (b'{"signed_document":{', b'"content":1,', b'"":0}}'),
    "strings": (b'{"a":[', rb'"\n",', b"0]}"),
    "attachments": (b'{"attachments":[', b"{},", b"0]}"),
    "contents": (b'{"signed_document":{', b'"content":"",', b'"":0}}'),
    "signed documents": (b"{", b'"signed_document":{},', b'"":0}'),
    "colons": (b"{", b":", b"}"),
    "commas": (b'{"attachments":[', b",", b"]}"),
    "documents": (b"", b"{}", b""),
}


@pytest.mark.parametrize("shape", _HOSTILE)
def test_hostile_body_of_one_mib_is_scanned_within_a_second(shape: str) -> None:
    """At a second per MiB, a body of 16 MiB would occupy the receiver for a quarter of a minute."""
    begin, unit, end = _HOSTILE[shape]
    body = begin + unit * (2**20 // len(unit)) + end
    began = time.thread_time()
    outcome(body)
    assert time.thread_time() - began < 1


# --- chunks ----------------------------------------------------------------------------------------------------------

_TRICKY = (
    b'\xef\xbb\xbf{"a\\\\":"\\\\\\"}","\\u0061ttachments":[{"id":"\xc3\xa9\\\\","content":"data:image\\/png;base64,QU\\u004aD\\/\\r\\n'
    b'QQ="},[{"content":"[{"}], {"content":null}, {"content" : "\\/-_+" , "content":""}],"t":[[[["]"]]],{"\\"":"}"}],'
    b'"signed_document":{"content":"","x":"\\\\\\\\\\""},"n":-1.5e3}'
)


def test_scan_is_the_same_for_every_border_of_two_or_three_chunks() -> None:
    whole = scan(_TRICKY)
    assert whole.contents == [base64.b64decode(b"QUJD/QQ="), b"\xff\xef\xfe", b"", b""]
    for first in range(len(_TRICKY) + 1):
        assert scan(_TRICKY, [first]) == whole
        for second in range(min(12, len(_TRICKY) - first)):
            assert scan(_TRICKY, [first, second]) == whole


def test_truncated_body_is_refused_alike_in_any_chunks() -> None:
    for end in range(len(_TRICKY)):
        body = _TRICKY[:end]
        assert refusal(body).code in {"TRUNCATED", "EMPTY_BODY", "NOT_UTF8"}


def lines(text: bytes, length: int) -> list[bytes]:
    return [text[start : start + length] for start in range(0, len(text), length)]


_SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda text: text,
    "escaped slashes": lambda text: text.replace(b"/", rb"\/"),
    "escaped plus": lambda text: text.replace(b"+", rb"\u002B"),
    "mime": lambda text: rb"\r\n".join(lines(text, 76)),
    "mime with a break at the end": lambda text: rb"\n".join([*lines(text, 60), b""]),
    "mime with escaped slashes": lambda text: rb"\r\n".join(lines(text, 76)).replace(b"/", rb"\/"),
    "url-safe": lambda text: text.replace(b"+", b"-").replace(b"/", b"_"),
    "spaces": lambda text: b" ".join(lines(text, 7)),
    "data URI": lambda text: rb"data:image\/png;base64," + text,
    "without padding": lambda text: text.rstrip(b"="),
}


@pytest.mark.parametrize("spelling", _SPELLINGS)
def test_large_contents_are_decoded_whole_in_chunks_of_any_size(spelling: str) -> None:
    data = random.Random(3).randbytes(500_000)
    text = _SPELLINGS[spelling](base64.b64encode(data))
    body = b'{"attachments":[{"content":"%b"}],"signed_document":{"content":"%b"}}' % (text, text)
    whole = scan(body)
    assert whole.contents == [data, data]
    for size in 65536, 262_147, 99_991:
        assert scan(body, [size] * (len(body) // size)) == whole


def test_fault_deep_inside_a_large_content_has_its_exact_offset() -> None:
    text = b"QUJD" * 175_000 + b"Q*JD" + b"QUJD" * 20_000
    for spelled in text, text.replace(b"JDQ", rb"\u004aDQ", 5):
        body = attachment(b'"%b"' % spelled)
        whole = outcome(body)
        assert isinstance(whole, Rejected)
        assert (whole.code, f"at byte {body.index(b'*')} of the body" in whole.detail) == ("NOT_BASE64", True)
        for size in 65536, 99_991:
            assert outcome(body, [size] * (len(body) // size)) == whole


def test_long_strings_outside_of_contents_may_cross_chunks() -> None:
    text = b'x\\\\\\"' * 40_000
    body = b'{"%b":"%b","a":["%b"],"attachments":[{"%b":"%b","content":"QUJD"}]}' % (text, text, text, text, text)
    whole = scan(body)
    assert whole.contents == [b"ABC"]
    for size in 4096, 65535:
        assert scan(body, [size] * (len(body) // size)) == whole
