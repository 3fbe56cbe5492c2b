"""The texts of anchors are canonical: one text for one leaf or statement, and nothing else is read."""

from datetime import UTC, datetime

import pytest

from domain.anchors import anchor_root, leaf_text, read_leaf, read_statement, statement_text
from models.store.anchor import Leaf, Statement

LEAF = Leaf("archives/a/b/c/urn%3acellar%3ap", 2, "ab" * 32, ("01" * 32, "02" * 32), ("0f" * 16,))
LEAF_TEXT = (
    '{"facts":["' + "0f" * 16 + '"],"inventory_sha256":"' + "ab" * 32 + '","key":"archives/a/b/c/urn%3acellar%3ap",'
    '"receipt_ids":["' + "01" * 32 + '","' + "02" * 32 + '"],"version":2}'
).encode()
STATEMENT = Statement(2, datetime(2026, 11, 26, 1, 0, tzinfo=UTC), 7, "cd" * 32, "ef" * 32)
STATEMENT_TEXT = (
    '{"at":"2026-11-26T01:00:00+00:00","before":"' + "ef" * 32 + '","format":"cellar anchor 1","leaves":7,"number":2,'
    '"root":"' + "cd" * 32 + '"}'
).encode()


def test_texts_have_one_form_and_are_read_again() -> None:
    assert leaf_text(LEAF) == LEAF_TEXT
    assert read_leaf(LEAF_TEXT) == LEAF
    assert statement_text(STATEMENT) == STATEMENT_TEXT
    assert read_statement(STATEMENT_TEXT) == STATEMENT


def test_root_of_an_anchor_is_the_digest_of_its_statement() -> None:
    assert anchor_root(STATEMENT) == "ac9a2bdcfa2b94acadb0c6681c6436ba610bb51ba21a01c1b9dfe59dd3f44a04"


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", LEAF_TEXT + b" ", LEAF_TEXT.replace(b":2}", b":2.0}")])
def test_other_text_is_no_leaf(text: bytes) -> None:
    with pytest.raises(ValueError, match="expected the text of a leaf"):
        read_leaf(text)


@pytest.mark.parametrize(
    "text",
    [b"", b"null", STATEMENT_TEXT + b"\n", STATEMENT_TEXT.replace(b"anchor 1", b"anchor 2"), STATEMENT_TEXT[:-1]],
)
def test_other_text_is_no_statement(text: bytes) -> None:
    with pytest.raises(ValueError, match="expected the statement of an anchor"):
        read_statement(text)
