"""Anchors: signed statements of what the store held at a time, kept where an insider cannot rewrite them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Digest(StrEnum):
    """The algorithm of the digests of an anchor: those of its tree, and its root."""

    SHA256 = "sha256"
    SHA512 = "sha512"


@dataclass(frozen=True, slots=True)
class Leaf:
    """What an anchor says of one object of the store, or of one file beside the archives.

    `key` is the key in the store. `version` is the number of the object's last version, and `inventory_sha256` the
    digest of that version's inventory, which never changes. `receipt_ids` are the receipts of its versions and
    deliveries. `facts` are digests of what its logs tell and never unsay, such as a delivery or the end of a run.

    A file beside the archives has version 0, and its own digest in place of an inventory's.
    """

    key: str
    version: int
    inventory_sha256: str
    receipt_ids: tuple[str, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """The signed statement of an anchor.

    `number` counts the anchors of a store from 1. `leaves` is the number of leaves: the first anchor has all objects,
    each later anchor the objects that changed since. `root` is the root of their Merkle tree, in hex. `before` is the
    digest of the statement before, None for the first. The digest of this statement is the *root* that people note.
    `digest` is the algorithm of both roots. `key` is the fingerprint of the public key that proves the signature: the
    SHA-256 of its DER, in hex.
    """

    number: int
    at: datetime
    leaves: int
    root: str
    before: str | None
    key: str
    digest: Digest = Digest.SHA256


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that a leaf is in an anchor's tree. `path` are the digests from the leaf up to the root, in hex."""

    leaf: Leaf
    index: int
    path: tuple[str, ...]
    statement: Statement


@dataclass(frozen=True, slots=True)
class Block:
    """A block of an anchor's leaves, which can be read alone: where it lies in their file, and what it holds.

    A block has as many leaves as fit, a power of two; the last block may have fewer. So its root is a node of the
    anchor's tree. `first` is the key of its first leaf.
    """

    first: str
    leaves: int
    offset: int
    size_bytes: int
    root: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """A later time stamp that renews one whose certificates end sooner.

    `inclusion` proves that a later anchor names the file of the earlier time stamp. `token` is the later time stamp,
    over the statement with `number`, which follows that anchor or is its own.
    """

    inclusion: Inclusion
    number: int
    token: bytes


@dataclass(frozen=True, slots=True)
class AnchorProof:
    """All that proves an object's state at the time of an anchor, without the store.

    `signature` is the ed25519 signature over the statement's text, `public_key` its key as PEM. `tokens` are time
    stamps (RFC 3161) over the statement's root, by the name of their file. The first of `renewals` renews one of them,
    each other the one before. `later` are the statements after that of the inclusion, up to that of the last renewal.
    """

    inclusion: Inclusion
    signature: bytes
    public_key: bytes
    tokens: Mapping[str, bytes]
    renewals: tuple[Renewal, ...] = ()
    later: tuple[Statement, ...] = ()
