"""Persists a receipt as the next version of its process's archive, or as a delivery if it says nothing new."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from adapters.files.spool import staging, translated
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import ocfl, seals
from adapters.store.objects import history, interrupted
from adapters.store.objects.deliveries import keep_delivery
from adapters.store.objects.judgements import recorded_text
from adapters.store.objects.repeats import stated
from adapters.store.objects.requests import StoredRequest, request_in, version_in
from adapters.store.ocfl import CUTS, FILES, REVOCATION, SKELETON, VERDICT
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from domain.archive.versions import statement_of
from domain.body.cuts import SEALED_VALUE
from domain.body.json_text import JsonFault
from domain.secrets.card_secrets import secret_ranges
from domain.secrets.sealing import ranges_between, ranges_of
from models.archive.content import Role, StoredContent
from models.errors import Conflict, Locked
from models.said import Sentence
from models.store.inventory import Inventory, ObjectVersion
from services.health.probes import found_root
from services.processing.examining import examined
from services.processing.staging import Staged, stage, stage_what_rebuilds, write_sealed

log = structlog.get_logger()
Ranges = list[tuple[int, int]]


def repair(reference: str, known: StoredRequest, staged: Staged) -> None:
    """Replace the files that the store has lost or damaged by the staged files.

    Raises:
        Conflict: the receipt is still damaged afterwards.
        Locked: the archive's key is not available.
        Transient: the store does not work now.
    """
    log.warning("a damaged archive is repaired", receipt_id=known.receipt_id)
    if not _is_as_archived(known, staged):
        _seal_as_then(known, staged)
    _replace_damaged(known.files, staged)
    if not known.is_version:
        keep_delivery(reference, known.receipt_id, known.version, staged.content)
    if not replace(known).is_whole():
        raise Conflict(Sentence.not_repairable(receipt=known.receipt_id), code="NOT_REPAIRABLE")


def _replace_damaged(files: Mapping[str, str], staged: Staged) -> None:
    """Replace the contents that are damaged or lost, of keys by their digests, by what is staged."""
    for path, sha256 in staged.digests().items():
        checkpoint()
        key = files.get(sha256)
        if key and store().digest_of(key) != sha256:
            store().overwrite(staged.content / path, key)


def _is_as_archived(known: StoredRequest, staged: Staged) -> bool:
    digests = staged.digests()
    if not known.is_version:
        return all(known.digests.get(name) == digests[name] for name in (SKELETON, CUTS))
    return all(known.files.get(digests[name]) == known.keys.get(name) for name in (SKELETON, CUTS))


def _seal_as_then(known: StoredRequest, staged: Staged) -> None:
    """Seal the values that were sealed then. Rules may have changed since; the archive's digests prove the choice."""
    for told in (_ranges_of_cuts, _ranges_of_skeleton, _nothing, _ranges_of_today):  # the last stages as of today
        checkpoint()
        try:
            ranges = told(known, staged)
        except Conflict:
            continue  # this source is damaged itself
        write_sealed(staged, ranges)
        if _is_as_archived(known, staged):
            return
    log.error("the sealed values of an archive can no longer be determined", receipt_id=known.receipt_id)


def _ranges_of_cuts(known: StoredRequest, _staged: Staged) -> Ranges:
    return ranges_of(known.all_cuts(), lambda ciphertext: len(seals.stand_in(ciphertext)))


def _ranges_of_skeleton(known: StoredRequest, staged: Staged) -> Ranges:
    """Return the differing ranges. A sealed null looks like any other null, so today's rules decide."""
    clear = staged.scan.skeleton
    nulls = [each for each in secret_ranges(clear) if clear[slice(*each)] == SEALED_VALUE]
    return sorted([*ranges_between(clear, known.skeleton()), *nulls])


def _nothing(_known: StoredRequest, _staged: Staged) -> Ranges:
    return []


def _ranges_of_today(_known: StoredRequest, staged: Staged) -> Ranges:
    return secret_ranges(staged.scan.skeleton)


@dataclass(frozen=True, slots=True)
class Persisted:
    version: int
    contents: list[StoredContent]


def persist(reference: str, receipt_id: str) -> Persisted:
    """Archive a receipt's files and skeleton in the store. Repeating it changes nothing that is right.

    Streams: memory does not grow with the body. While the inbox has the body, damage in the store is repaired.

    Raises:
        Refused: the body is no archive of this process.
        Conflict: the body does not match the receipt id, or the store is damaged.
        Transient: the store does not work now, or an empty folder stands in its place.
    """
    with staging(store().spool_folder) as folder:
        scan = partial(stage, folder / "content", reference, receipt_id)
        has_root, staged, before = store().do_all(found_root, scan, partial(interrupted.repaired, reference))
        write_sealed(staged, secret_ranges(staged.scan.skeleton), is_new=before is None)
        known = _known(before, staged)
        if not has_root:
            ocfl.make_root()
        if known is None:
            stage_what_rebuilds(staged)
            number = _archive(reference, before, staged, folder)
        else:
            number = known.version
            if staged.is_from_inbox and not known.is_whole():
                stage_what_rebuilds(staged)
                _examine(staged)
                repair(reference, known, staged)
        if number == 1:
            _keep_failures(reference)
    return Persisted(number, [cut.content for cut in staged.cuts])


def _keep_failures(reference: str) -> None:
    """Write the histories of receipts that failed before the object existed."""
    for receipt_id in receipts.failed(reference):
        history.keep(reference, receipt_id)


def _known(before: Inventory | None, staged: Staged) -> StoredRequest | None:
    """Return the archived receipt; None if it is new. A delivery with a damaged record is written again, for the
    version that says the same: which was there when it arrived, since an anchor has its number.
    """
    if before is None:
        return None
    try:
        return request_in(before, staged.receipt_id)
    except Conflict:
        if not staged.is_from_inbox:
            raise
        wanted, arrived_at = _statement(staged), receipts.get(staged.receipt_id).received_at
        newest_first = range(before.head, 0, -1)
        for number in sorted(newest_first, key=lambda number: before.versions[number - 1].created_at > arrived_at):
            if _statement_of_version(version_in(before, number)) == wanted:
                stage_what_rebuilds(staged)
                keep_delivery(ocfl.reference_of(before), staged.receipt_id, number, staged.content)
                return request_in(before, staged.receipt_id)
        return None


def _archive(reference: str, before: Inventory | None, staged: Staged, folder: Path) -> int:
    """Make the next version, or a delivery of a version that says the same, and return the version's number. What an
    earlier version has lost and this body has is replaced first, since both share it.
    """
    if before:
        key = ocfl.object_key(reference)
        _replace_damaged({sha256: f"{key}/{path}" for sha256, path in before.manifest.items()}, staged)
    for known in _comparable(reference, before) if before else ():
        if _statement(staged) == _statement_of_version(known):
            keep_delivery(reference, staged.receipt_id, known.version, staged.content)
            return known.version
    _examine(staged)
    state = staged.digests()
    receipt = receipts.get(staged.receipt_id)
    version = ObjectVersion(receipt.received_at, staged.receipt_id, state, receipt.source)
    contents = {sha256: path for path, sha256 in state.items()}
    return ocfl.add_version(reference, before, version, folder, contents).head


def _examine(staged: Staged) -> None:
    """Judge the signed document, if the body has one. Of duplicate keys the last counts, as everywhere."""
    signed = staged.scan.document.get(Role.SIGNED_DOCUMENT)
    index = signed.get("content") if isinstance(signed, dict) else None
    if index is None or not staged.cuts[int(index)].content.size_bytes:
        return
    document = staged.content / FILES / staged.cuts[int(index)].content.sha256
    found = examined(document, staged.content / REVOCATION)
    with translated():
        (staged.content / VERDICT).write_text(recorded_text(found.verdict, found.roots))


def _comparable(reference: str, inventory: Inventory) -> Iterator[StoredRequest]:
    """Yield the version whose rows are in the database, before any rows exist the last one; and the last version, if it
    is of another source than the process: a source that sends again and again makes one version.
    """
    receipt_id = receipts.current_receipt_id(reference)
    current = request_in(inventory, receipt_id) if receipt_id else None
    last = version_in(inventory, inventory.head)
    yield current or last
    if current and current.version != last.version and last.source != archives.get(last.reference).source:
        yield last


def _statement_of_version(current: StoredRequest) -> str | None:
    """Return what a version says; None if it is damaged, which must not block the next version."""
    try:
        return stated(current)
    except Locked:
        raise
    except (Conflict, JsonFault):
        log.error("the current version is damaged; see `cellar verify`", receipt_id=current.receipt_id)
        return None


def _statement(staged: Staged) -> str:
    return statement_of(staged.scan.document, [cut.content.sha256 for cut in staged.cuts])
