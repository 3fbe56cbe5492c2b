"""Makes anchors: reads the leaves, signs the statement, and brings both to the authorities and to the witness."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import structlog
from sqlalchemy import Select, select
from sqlmodel import col

from adapters.anchors import anchors, many_leaves
from adapters.anchors import witness as anchors_witness
from adapters.anchors.anchors import Anchor
from adapters.anchors.erasing import erase_leaves, leaves_about
from adapters.anchors.leaves import leaves_beside
from adapters.anchors.leaves_file import written
from adapters.anchors.many_leaves import OnDamaged
from adapters.anchors.witness import LastAnchor, check_same, copy_anchors, witness
from adapters.database.transactions import reading
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import happened, last_records, ocfl, tombstones
from adapters.store.lines import kept_digest
from adapters.tables import conditions
from domain.anchors import leaf_text
from models.archive.content import SignedDocumentRow
from models.errors import Locked, Transient
from models.messages.notification import NotificationAttemptRow, NotificationRow
from models.runs.receipt import DeliveryRow, ReceiptRow, RunRow
from models.store.anchor import Digest, Statement
from services.access import chains
from services.anchors import dating

log = structlog.get_logger()
OVERLAP = timedelta(hours=2)
"""How much later than its time a row may be committed, or its history written: a run may take an hour."""


@dataclass(frozen=True, slots=True)
class Made:
    """An anchor that was made. `damaged` are the keys of objects that it lacks, `lacks` is what it waits for."""

    anchor: Anchor
    fingerprint: str
    damaged: tuple[str, ...]
    lacks: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return not self.damaged and not self.lacks


def make(now: datetime, *, whole: bool = False) -> Made:
    """Make the next anchor: of the whole store, or of what has changed since the anchor before by the same key.

    If authorities or the witness are away, the anchor is made, and the next call brings them what they lack.

    Raises:
        Conflict: anchors of the store were removed, rewritten or damaged.
        Locked: the key that signs is damaged or gone.
        Transient: store or database does not answer, or another process has just made this anchor.
    """
    before = anchors.newest(store())
    if before and anchors.known_public_key() is None:
        raise _key_gone()
    anchors_witness.check_noted()
    _check_witness()
    happened.keep_all()
    damaged, begun_at = list[str](), datetime.now(UTC)
    key = anchors.fingerprint(anchors.signed(b"")[1])
    # If the clock was ahead when the anchor before was made, what has changed since does not follow from its time.
    # A new key signs for every archive, since the key of its newest anchor signs its bag.
    follows = before and before.statement.at <= now and before.statement.key == key
    since = before.statement.at if before and follows and not whole else None
    objects = _changed(since, damaged.append) if since else many_leaves.every_text(damaged.append)
    beside = list(leaves_beside(store(), since and since - OVERLAP))
    before_objects = [*(each for each in beside if each.key < ocfl.ROOT), *dating.leaves_of_proofs()]
    texts = chain(map(leaf_text, before_objects), objects, (leaf_text(each) for each in beside if each.key > ocfl.ROOT))
    with written(texts, _digest(now)) as leaves:
        number, root = (before.statement.number + 1, before.root) if before else (1, None)
        statement = Statement(number, now, leaves.leaves, leaves.root, root, key, leaves.digest)
        anchor = anchors.keep(store(), statement, leaves)
    anchors_witness.note(anchor)
    lacks = (*dating.date(), *_bring_to_witness())
    _erase_since(begun_at, anchor)
    _note_for_people(anchor)
    last_records.keep(LastAnchor(anchor.statement.number, now, anchor.root, lacks))
    chains.remove_old(now)
    return Made(anchor, key, tuple(damaged), lacks)


def _erase_since(begun_at: datetime, anchor: Anchor) -> None:
    """Erase the leaves of archives that were being erased while the anchor was made: they may have been read before."""
    erased = {each.digest for each in tombstones.every() if each.ended_at is None or each.ended_at >= begun_at}
    if not erased:
        return
    named = filter(None, (ocfl.reference_at(leaf.key) for leaf in anchors.leaves_of(store(), anchor)))
    digests = {each: digest for each in named if (digest := tombstones.digest_of(each)) in erased}
    number = anchor.statement.number
    for reference, hashes in leaves_about(digests, number).items():
        tombstones.add_lines(digests[reference], map(kept_digest, hashes))
    happened.keep()
    erase_leaves(digests, number)


def _digest(now: datetime) -> Digest:
    begins = settings().anchor_sha512_from
    return Digest.SHA512 if begins and now.date() >= begins else Digest.SHA256


def _note_for_people(anchor: Anchor) -> None:
    """Note which objects the anchor has, and when its time stamps end. It is valid without the note."""
    keys_of = (leaf.key for leaf in anchors.leaves_of(store(), anchor))
    try:
        conditions.note_anchored((key for key in keys_of if key.startswith(f"{ocfl.ROOT}/")), anchor.statement.at)
        dating.note_end(anchor.statement.at)
    except Transient as error:
        log.warning("the database does not know what the anchor has", why=type(error).__name__)


def _key_gone() -> Locked:
    """Another key is not made by itself: whoever knows the fingerprint of the first key could not trust its anchors."""
    path = settings().secret_path("anchor")
    return Locked(
        f"the key that signs anchors, {path}, is gone; restore the file from a backup, or set CELLAR_ANCHOR_KEY. If it "
        f"is lost for good, run `openssl rand -base64 32 | tr -d '\\n' > {path}`, and note the new fingerprint"
    )


def _changed(since: datetime, on_damaged: OnDamaged) -> Iterator[bytes]:
    return many_leaves.texts_of(sorted(map(ocfl.object_key, _changed_since(since))), on_damaged)


def _check_witness() -> None:
    """Check, if the witness answers, that it has no other anchors than the store. A new anchor would hide that."""
    there = witness()
    if there is not None:
        with suppress(Transient):
            check_same(there)


def _bring_to_witness() -> Iterator[str]:
    there = witness()
    if there is None:
        return
    try:
        copy_anchors(there)
    except Transient as error:
        yield f"the witness does not have the newest anchor: {error}"


def _changed_since(at: datetime) -> set[str]:
    """Return the references of archives that have changed since an anchor.

    Archives that changed shortly before may be among them.
    """
    since = at - OVERLAP
    with reading() as session:
        connection = session.connection()
        return {reference for query in _queries(since) for (reference,) in connection.execute(query)}


def _queries(since: datetime) -> Iterator[Select[Any]]:
    yield select(col(ReceiptRow.reference)).where(col(ReceiptRow.completed_at) >= since)
    yield select(col(DeliveryRow.reference)).where(col(DeliveryRow.received_at) >= since)
    yield select(col(RunRow.reference)).where(col(RunRow.ended_at) >= since)
    yield select(col(SignedDocumentRow.reference)).where(col(SignedDocumentRow.judged_at) >= since)
    yield (
        select(col(NotificationRow.reference))
        .join(NotificationAttemptRow, col(NotificationAttemptRow.message_id) == col(NotificationRow.message_id))
        .where(col(NotificationAttemptRow.attempted_at) >= since)
    )
