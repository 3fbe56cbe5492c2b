"""Repairs an archived receipt: staged files replace the files that the store has lost or damaged."""

from dataclasses import replace

import structlog

from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import seals
from adapters.store.objects.deliveries import keep_delivery
from adapters.store.objects.requests import StoredRequest
from adapters.store.ocfl import CUTS, SKELETON
from domain.body.cuts import SEALED_VALUE
from domain.secrets.card_secrets import secret_ranges
from domain.secrets.sealing import ranges_between, ranges_of
from models.errors import Conflict
from services.processing.staging import Staged, write_sealed

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
    if known.is_version and not _is_as_archived(known, staged):
        _seal_as_then(reference, known, staged)
    for path, sha256 in staged.digests().items():
        checkpoint()
        key = known.files.get(sha256)
        if key and store().digest_of(key) != sha256:
            store().overwrite(staged.content / path, key)
    if not known.is_version:
        keep_delivery(reference, known.receipt_id, known.version, staged.content)
    if not replace(known).is_whole():
        raise Conflict(
            f"receipt {known.receipt_id} cannot be repaired; `cellar verify` names the damaged files",
            code="NOT_REPAIRABLE",
        )


def _is_as_archived(known: StoredRequest, staged: Staged) -> bool:
    digests = staged.digests()
    return all(known.files.get(digests[name]) == known.keys.get(name) for name in (SKELETON, CUTS))


def _seal_as_then(reference: str, known: StoredRequest, staged: Staged) -> None:
    """Seal the values that were sealed then. Rules may have changed since; the archive's digests prove the choice."""
    for told in (_ranges_of_cuts, _ranges_of_skeleton, _nothing):
        checkpoint()
        try:
            ranges = told(known, staged)
        except Conflict:
            continue  # this source is damaged itself
        write_sealed(staged.content, staged.scan.skeleton, staged.cuts, ranges, reference)
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
