"""Anchors in the store, the same files at the witness, and the key that signs them.

The key is ed25519 and lies outside the store, so that an insider of the store cannot sign.

An anchor is a folder, `anchors/NUMBER`. Its `statement` is written last and once: it decides which of several writers
made the anchor. All other files begin with the anchor's root, so writers do not mix theirs:

| file | content |
| --- | --- |
| `statement` | the statement, whose digest is the anchor's root |
| `ROOT.leaves.gz` | the leaves, one a line (`leaves_file`); of erased leaves the hashes (`erasing`) |
| `ROOT.index` | where each block of the leaves begins |
| `ROOT.signature` | the ed25519 signature over the statement |
| `ROOT.pem` | the public key |
| `ROOT.AUTHORITY.tsr` | the time stamp of an authority (RFC 3161), named by the digest of its URL |

The last three are the proofs of an anchor. They come after the statement, so a later anchor has leaves of them: what
dates that anchor dates them too.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from adapters.anchors import leaves_file
from adapters.anchors.leaves_file import LeavesFile, tree_root
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store.lines import Erased
from domain.anchors import anchor_root, index_text, is_included, read_index, read_statement, statement_text
from models.errors import Conflict, Transient
from models.store.anchor import AnchorProof, Block, Inclusion, Leaf, Statement


def signed(text: bytes) -> tuple[bytes, bytes]:
    """Return the signature of a text, and the public key that proves it, as PEM. A missing key is generated.

    Raises:
        Locked: the generated key is damaged.
    """
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(settings().active_anchor_key()))
    return key.sign(text), key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def known_public_key() -> bytes | None:
    """Return the public key of this installation, as PEM; None if it has no key yet. Generates none.

    Raises:
        Locked: the generated key is damaged.
    """
    is_there = settings().anchor_key or settings().secret_path("anchor").exists()
    return signed(b"")[1] if is_there else None


def is_signed_by(text: bytes, signature: bytes, public_key: bytes) -> bool:
    """Return whether a public key, as PEM, proves the signature of a text."""
    try:
        key = load_pem_public_key(public_key)
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(signature, text)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def fingerprint(public_key: bytes) -> str:
    """Return the SHA-256 of a public key in DER, as `openssl pkey -pubin -outform DER | sha256sum` does.

    Raises:
        ValueError: the text is no public key.
    """
    key = load_pem_public_key(public_key)
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


FOLDER = "anchors"
STATEMENT = "statement"
_FILE = re.compile(rf"{FOLDER}/([0-9]{{6,}})/(.+)")
_TOKEN = re.compile(r"[0-9a-f]{16}\.tsr")


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor of a storage: its statement, and the names of its files, without the root in front."""

    statement: Statement
    root: str
    files: frozenset[str]

    def key(self, name: str) -> str:
        return key_of(self.statement.number, self.root, name)

    @property
    def tokens(self) -> list[str]:
        return sorted(filter(_TOKEN.fullmatch, self.files))


def key_of(number: int, root: str, name: str) -> str:
    return f"{_folder(number)}/{root}.{name}"


def statement_key(number: int) -> str:
    return f"{_folder(number)}/{STATEMENT}"


def token_name(authority: str) -> str:
    """Return the name of an authority's time stamps."""
    return f"{hashlib.sha256(authority.encode()).hexdigest()[:16]}.tsr"


def listed(storage: Storage) -> dict[int, set[str]]:
    """Return the names of all files of the anchors in a storage, by the anchors' numbers, in order."""
    files: dict[int, set[str]] = {}
    for key, _ in storage.listed(FOLDER):
        if found := _FILE.fullmatch(key):
            files.setdefault(int(found[1]), set()).add(found[2])
    return dict(sorted(files.items()))


def anchor_at(storage: Storage, number: int, names: set[str]) -> Anchor | None:
    """Return the anchor with a number; None if no writer has finished it.

    Raises:
        Conflict: the statement is damaged.
    """
    text = storage.found_bytes(statement_key(number))
    if text is None:
        return None
    statement = parsed(text, number)
    return with_files(statement, anchor_root(statement), names)


def with_files(statement: Statement, root: str, names: set[str]) -> Anchor:
    """Return the anchor of a statement, with those of the names that are its own."""
    start = f"{root}."
    return Anchor(statement, root, frozenset(each.removeprefix(start) for each in names if each.startswith(start)))


def anchors(storage: Storage) -> Iterator[Anchor]:
    """Yield the anchors of a storage, the newest first.

    Raises:
        Conflict: a statement is damaged.
    """
    for number, names in reversed(listed(storage).items()):
        if found := anchor_at(storage, number, names):
            yield found


def newest(storage: Storage) -> Anchor | None:
    """Return the newest anchor. Raises as `anchors` does."""
    return next(anchors(storage), None)


def parsed(text: bytes, number: int | None = None) -> Statement:
    """Read a statement.

    Raises:
        Conflict: the text is no statement, or that of another number.
    """
    try:
        statement = read_statement(text)
    except ValueError as error:
        raise _damaged(number) from error
    if number not in (None, statement.number):
        raise _damaged(number)
    return statement


def keep(storage: Storage, statement: Statement, leaves: LeavesFile) -> Anchor:
    """Sign a statement, and write it with its leaves as the next anchor. Takes effect whole or not at all.

    Raises:
        Transient: the storage does not take it now, or another writer has made the anchor of this number.
        Locked: the key that signs is damaged.
    """
    text, root = statement_text(statement), anchor_root(statement)
    signature, public_key = signed(text)
    files = {"index": index_text(leaves.blocks), "signature": signature, "pem": public_key}
    if leaves.leaves:
        storage.keep(leaves.path, key_of(statement.number, root, "leaves.gz"))
    for name, data in files.items():
        storage.keep_first(data, key_of(statement.number, root, name))
    if not storage.keep_first(text, statement_key(statement.number)):
        for name in ("leaves.gz", *files):
            storage.remove(key_of(statement.number, root, name))
        raise Transient(f"another process has just made anchor {statement.number}; try again")
    return Anchor(statement, root, frozenset({*files, *(["leaves.gz"] if leaves.leaves else [])}))


def blocks_of(storage: Storage, anchor: Anchor) -> list[Block]:
    """Return the blocks of an anchor's leaves, proved by its statement.

    Raises:
        Conflict: the index is missing or damaged.
    """
    key = anchor.key("index")
    text = storage.found_bytes(key)
    try:
        blocks = read_index(b"missing" if text is None else text)
    except ValueError as error:
        raise Conflict(f"{key} is missing or damaged; restore it from the witness") from error
    statement = anchor.statement
    if (tree_root(blocks, statement.digest), sum(each.leaves for each in blocks)) != (statement.root, statement.leaves):
        raise Conflict(f"{key} does not match the statement of anchor {anchor.statement.number}; restore the anchor")
    return blocks


def leaves_of(storage: Storage, anchor: Anchor) -> Iterator[Leaf]:
    """Yield the leaves of an anchor that are left, in order of their keys, proved by its statement.

    Raises:
        Conflict: leaves or index are missing or damaged.
    """
    return leaves_file.leaves_of(storage, anchor.key("leaves.gz"), blocks_of(storage, anchor))


def check_leaves(storage: Storage, anchor: Anchor, erased: Erased) -> list[str]:
    """Check that a storage has the leaves that an anchor's statement names, and return what is wrong by tombstones.

    The witness may keep leaves that were erased: perhaps it is locked.

    Raises:
        Conflict: leaves or index are missing or damaged.
    """
    wrong = dict[str, None]()
    for its, is_erased in leaves_file.hashes_of(storage, anchor.key("leaves.gz"), blocks_of(storage, anchor)):
        if is_erased and not erased.knows(its):
            wrong["a leaf was replaced, and no tombstone has it; restore it from the witness"] = None
        if not is_erased and storage == store() and erased.has_removed(its):
            wrong["a leaf that was erased is back"] = None
    return list(wrong)


def leaf_in(storage: Storage, anchor: Anchor, object_key: str) -> Leaf | None:
    """Return an object's leaf in an anchor; None if the anchor has none. Raises as `leaves_of`."""
    found = leaves_file.found_leaf(storage, anchor.key("leaves.gz"), blocks_of(storage, anchor), object_key)
    return found[0] if found else None


def is_signed(storage: Storage, anchor: Anchor) -> bool:
    """Return whether the signature of an anchor is valid under the public key beside it, which the statement names."""
    signature, public_key = (storage.found_bytes(anchor.key(name)) or b"" for name in ("signature", "pem"))
    is_valid = is_signed_by(statement_text(anchor.statement), signature, public_key)
    return is_valid and anchor.statement.key == fingerprint(public_key)


def proof_of(storage: Storage, object_key: str) -> AnchorProof | None:
    """Return the proof of an object's newest leaf; None if no anchor has the object.

    Raises:
        Conflict: an anchor is damaged.
    """
    for anchor in anchors(storage):
        if inclusion := inclusion_in(storage, anchor, object_key):
            signature, public_key = (storage.found_bytes(anchor.key(name)) or b"" for name in ("signature", "pem"))
            tokens = {name: storage.found_bytes(anchor.key(name)) or b"" for name in anchor.tokens}
            return AnchorProof(inclusion, signature, public_key, tokens)
    return None


def inclusion_in(storage: Storage, anchor: Anchor, key: str) -> Inclusion | None:
    """Return the proof that an anchor has a leaf of a key; None if it has none. Raises as `leaves_of`."""
    found = leaves_file.found_leaf(storage, anchor.key("leaves.gz"), blocks_of(storage, anchor), key)
    if found is None:
        return None
    leaf, index, path = found
    inclusion = Inclusion(leaf, index, tuple(path), anchor.statement)
    if not is_included(inclusion):
        raise Conflict(f"the leaves of anchor {anchor.statement.number} do not lead to its root")
    return inclusion


def _folder(number: int) -> str:
    return f"{FOLDER}/{number:06}"


def _damaged(number: int | None) -> Conflict:
    which = "the statement of an anchor" if number is None else f"the statement of anchor {number}"
    return Conflict(f"{which} is damaged; restore it from the witness")
