"""Anchors are written whole, each leaf has a proof, and damage of an anchor is noticed when it is read."""

import gzip
import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.anchors import anchors, leaves_file
from adapters.anchors.anchors import Anchor
from adapters.anchors.erasing import erase_leaves, leaves_about
from adapters.anchors.leaves_file import written
from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store import ocfl
from adapters.store.lines import Erased, kept_digest
from domain.anchors import index_text, is_included, leaf_hash, leaf_text, read_leaf, root_of, statement_text
from models.errors import Conflict, Transient
from models.store.anchor import Digest, Leaf, Statement

AT = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _store(sqlite_installation: Settings, store_kind: str) -> None:
    """Use an empty store of each kind."""


def leaf(number: int, version: int = 1) -> Leaf:
    return Leaf(f"archives/{number:05}", version, f"{number:064x}", (f"{number:064x}",), ())


def known_key() -> str:
    return anchors.fingerprint(anchors.signed(b"")[1])


def kept(leaves: Iterable[Leaf], number: int = 1, before: str | None = None) -> Anchor:
    with written(map(leaf_text, leaves)) as file:
        return anchors.keep(store(), Statement(number, AT, file.leaves, file.root, before, known_key()), file)


def test_anchor_is_read_as_it_was_written() -> None:
    made = kept(map(leaf, range(4097)))

    found = anchors.newest(store())
    assert found == made
    assert found.statement == Statement(
        1, AT, 4097, root_of(leaf_hash(leaf_text(leaf(n))) for n in range(4097)).hex(), None, known_key()
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


def of_processes(count: int) -> list[tuple[str, Leaf]]:
    """Return leaves of processes with their references, in order of their keys."""
    found = sorted((ocfl.object_key(str(number)), str(number)) for number in range(count))
    digests = [hashlib.sha256(key.encode()).hexdigest() for key, _ in found]
    return [(each, Leaf(key, 1, its, (its[::-1],), ())) for (key, each), its in zip(found, digests, strict=True)]


def check_erased(made: Anchor, processes: list[tuple[str, Leaf]], gone: set[str]) -> None:
    """Erase the leaves of processes, with kills in between, and check that each other leaf is there and proved."""
    names = ("leaves.gz", "index")
    before, blocks = [store().read_bytes(made.key(each)) for each in names], anchors.blocks_of(store(), made)
    hashes = [each for its in leaves_about(gone).values() for each in its]
    erased = Erased({}, dict.fromkeys(map(kept_digest, hashes), True))
    assert len(hashes) == len(gone)

    erase_leaves(sorted(gone)[::2])  # of another batch
    erase_leaves(gone)

    after = [store().read_bytes(made.key(each)) for each in names]
    left = [leaf for reference, leaf in processes if reference not in gone]
    assert list(anchors.leaves_of(store(), made)) == left
    assert anchors.check_leaves(store(), made, erased) == []
    assert leaves_about(gone) == {}
    for index, (reference, leaf) in [*enumerate(processes)][:: max(1, len(processes) // 9)]:
        found = anchors.inclusion_in(store(), made, leaf.key)
        assert (found is None) == (reference in gone)
        assert found is None or (found.leaf, found.index, is_included(found)) == (leaf, index, True)
    assert gzip.decompress(after[0]).count(b'"key":') == len(left)
    assert {each.first for each in anchors.blocks_of(store(), made)} <= {"", *(leaf.key for leaf in left)}
    store().overwrite_bytes(before[1], made.key("index"))  # the eraser was killed between leaves and index
    assert list(leaves_file.leaves_of(store(), made.key("leaves.gz"), blocks)) == left
    assert anchors.check_leaves(store(), made, erased) == []
    erase_leaves(gone)
    assert [store().read_bytes(made.key(each)) for each in names] == after
    if gone:
        assert anchors.check_leaves(store(), made, Erased({}, {})) != []
        for name, data in zip(names, before, strict=True):
            store().overwrite_bytes(data, made.key(name))
        assert anchors.check_leaves(store(), made, erased) == ["a leaf that was erased is back"]


@pytest.mark.parametrize("store_kind", ["folder"], indirect=True)
@given(data=st.data(), digest=st.sampled_from(Digest), count=st.integers(1, 9))
def test_any_leaves_are_erased_and_the_others_are_proved(data: st.DataObject, digest: Digest, count: int) -> None:
    store().remove_folder(anchors.FOLDER)
    processes = of_processes(count)
    with written((leaf_text(leaf) for _, leaf in processes), digest) as file:
        made = anchors.keep(store(), Statement(1, AT, file.leaves, file.root, None, "key", digest), file)

    check_erased(made, processes, data.draw(st.sets(st.sampled_from([reference for reference, _ in processes]))))


def test_blocks_are_found_that_begin_with_erased_leaves_or_have_no_others() -> None:
    processes = of_processes(3 * 4096 + 3)
    made = kept(leaf for _, leaf in processes)
    references = [reference for reference, _ in processes]

    check_erased(made, processes, {*references[:2], *references[4096:8192], references[8195], *references[-3:]})

    (_, _, third, _) = anchors.blocks_of(store(), made)
    for first in (processes[8191][1].key, processes[8193][1].key):  # an insider leads past leaves
        index = [replace(each, first=first) if each == third else each for each in anchors.blocks_of(store(), made)]
        store().overwrite_bytes(index_text(index), made.key("index"))
        with pytest.raises(Conflict):
            anchors.check_leaves(store(), made, Erased({}, {}))


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
