"""Anchors are written whole, each leaf has a proof, and damage of an anchor is noticed when it is read."""

import gzip
import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.anchors import anchors
from adapters.anchors.anchors import Anchor
from adapters.anchors.leaves_file import written
from adapters.files.store import store
from adapters.settings.settings import Settings
from domain.anchors import index_text, is_included, leaf_hash, leaf_text, read_leaf, root_of, statement_text
from models.errors import Conflict, Transient
from models.store.anchor import Leaf, Statement

AT = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _store(sqlite_installation: Settings, store_kind: str) -> None:
    """Use an empty store of each kind."""


def leaf(number: int, version: int = 1) -> Leaf:
    return Leaf(f"archives/{number:05}", version, f"{number:064x}", (f"{number:064x}",), ())


def kept(leaves: Iterable[Leaf], number: int = 1, before: str | None = None) -> Anchor:
    with written(map(leaf_text, leaves)) as file:
        return anchors.keep(store(), Statement(number, AT, file.leaves, file.root, before), file)


def test_anchor_is_read_as_it_was_written() -> None:
    made = kept(map(leaf, range(4097)))

    found = anchors.newest(store())
    assert found == made
    assert found.statement == Statement(
        1, AT, 4097, root_of(leaf_hash(leaf_text(leaf(n))) for n in range(4097)).hex(), None
    )
    assert list(anchors.leaves_of(store(), found)) == list(map(leaf, range(4097)))
    assert anchors.is_signed(store(), found)
    assert found.root == hashlib.sha256(store().read_bytes("anchors/000001/statement")).hexdigest()
    assert read_leaf(gzip.decompress(store().read_bytes(made.key("leaves.gz"))).splitlines()[4096]) == leaf(4096)


def test_each_leaf_has_a_proof() -> None:
    made = kept(map(leaf, range(8195)))

    for number in (0, 1, 4095, 4096, 8191, 8192, 8194):
        proof = anchors.proof_of(store(), leaf(number).key)
        assert proof
        assert (proof.inclusion.leaf, proof.inclusion.index) == (leaf(number), number)
        assert is_included(proof.inclusion)
        assert not is_included(replace(proof.inclusion, leaf=leaf(number, version=2)))
        assert anchors.is_signed_by(statement_text(made.statement), proof.signature, proof.public_key)
    assert anchors.proof_of(store(), "archives/08195") is None
    assert anchors.proof_of(store(), "an earlier key") is None


def test_newest_leaf_of_an_object_is_proved() -> None:
    first = kept([leaf(1), leaf(2)])
    second = kept([leaf(2, version=2)], 2, first.root)
    kept([], 3, second.root)

    proofs = [anchors.proof_of(store(), leaf(number).key) for number in (1, 2)]
    assert [proof and proof.inclusion.statement.number for proof in proofs] == [1, 2]


def test_first_of_two_writers_makes_the_anchor() -> None:
    made = kept([leaf(1)])
    with pytest.raises(Transient, match="another process has just made anchor 1"):
        kept([leaf(2)])

    assert anchors.newest(store()) == made
    assert len(list(store().listed("anchors"))) == 5


def test_anchor_without_a_statement_is_none() -> None:
    first = kept([leaf(1)])
    second = kept([leaf(2)], 2, first.root)
    store().remove(anchors.statement_key(2))

    assert anchors.newest(store()) == first
    assert kept([leaf(2)], 2, first.root) == second


@pytest.mark.parametrize("name", ["leaves.gz", "index"])
def test_damage_of_leaves_is_noticed(name: str) -> None:
    made = kept([leaf(1), leaf(2)])
    text = store().read_bytes(made.key(name))
    middle = len(text) // 2
    for damaged in (b"", text[:-1], text[:middle] + bytes([text[middle] ^ 1]) + text[middle + 1 :]):
        store().overwrite_bytes(damaged, made.key(name))
        with pytest.raises(Conflict):
            list(anchors.leaves_of(store(), made))
    store().remove(made.key(name))
    with pytest.raises(Conflict, match="missing"):
        list(anchors.leaves_of(store(), made))


def test_index_whose_root_is_none_is_noticed() -> None:
    made = kept([leaf(1)])
    (block,) = anchors.blocks_of(store(), made)
    store().overwrite_bytes(index_text([replace(block, root="no root")]), made.key("index"))
    with pytest.raises(Conflict, match="is missing or damaged"):
        anchors.blocks_of(store(), made)


def test_damaged_statement_is_noticed() -> None:
    kept([leaf(1)])
    store().overwrite_bytes(b"no statement", anchors.statement_key(1))
    with pytest.raises(Conflict, match="the statement of anchor 1 is damaged"):
        anchors.newest(store())


def test_openssl_accepts_signature_and_fingerprint(tmp_path: Path) -> None:
    made = kept([leaf(1)])
    for name, key in (
        ("statement", anchors.statement_key(1)),
        ("sig", made.key("signature")),
        ("pem", made.key("pem")),
    ):
        (tmp_path / name).write_bytes(store().read_bytes(key))
    checked = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "pem",
        "-rawin",
        "-in",
        "statement",
        "-sigfile",
        "sig",
    ]
    der = subprocess.check_output(["openssl", "pkey", "-pubin", "-in", "pem", "-outform", "DER"], cwd=tmp_path)

    assert subprocess.run(checked, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    assert anchors.fingerprint(store().read_bytes(made.key("pem"))) == hashlib.sha256(der).hexdigest()
    (tmp_path / "statement").write_bytes(b"another statement")
    assert subprocess.run(checked, cwd=tmp_path, check=False, capture_output=True).returncode == 1
