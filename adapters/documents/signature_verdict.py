"""Judges one signature of a PDF: the bytes that it covers, its value, and what came after it."""

from dataclasses import replace
from datetime import datetime

from pyhanko.pdf_utils.generic import DictionaryObject
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.validation.pdf_embedded import (
    EmbeddedPdfSignature,
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import DocumentTimestampStatus, PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from adapters.documents.pdf.comparison import COMPARISON
from adapters.documents.pdf.document import (
    Document,
    entry,
    is_unambiguous,
    last_update,
    only_line_ends_follow,
    updates_behind,
)
from adapters.documents.pdf.embedded_signature import Signature, signature_in
from adapters.documents.time_stamps import context_of, moment_of, time_of_signing, time_stamps, trust_of
from adapters.documents.trust.algorithms import CannotCompute
from adapters.documents.trust.certificates import common_name, described, storable, text
from adapters.documents.trust.signer_trust import Moment, Trust, tier_of, wanted_for
from models.archive.verdict import Coverage, LaterChange, RevocationStatus, SignatureVerdict, Tier
from models.said import Said, Sentence, because

Status = PdfSignatureStatus | DocumentTimestampStatus

_KNOWN_KINDS = {kind.value for kind in SigSeedSubFilter}
_COVERAGE = {
    SignatureCoverageLevel.ENTIRE_FILE: Coverage.FILE,
    SignatureCoverageLevel.ENTIRE_REVISION: Coverage.REVISION,
    SignatureCoverageLevel.CONTIGUOUS_BLOCK_FROM_START: Coverage.PART,
    SignatureCoverageLevel.UNCLEAR: Coverage.UNCLEAR,
}
_CHANGE = {
    ModificationLevel.NONE: LaterChange.NONE,
    ModificationLevel.LTA_UPDATES: LaterChange.ARCHIVAL,
    ModificationLevel.FORM_FILLING: LaterChange.FORM_FILLING,
    ModificationLevel.ANNOTATIONS: LaterChange.ANNOTATIONS,
    ModificationLevel.OTHER: LaterChange.OTHER,
}


async def judged(document: Document, name: str, field: DictionaryObject) -> SignatureVerdict:
    """Return the verdict on the signature of a field. What cannot be judged has a reason, and is never broken."""
    try:
        if entry(field["/V"], "/SubFilter") not in _KNOWN_KINDS:
            return _unjudged(document, name, Sentence.unknown_kind())
        return await _judged_or_uncomputed(document, signature_in(document, field, name))
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 -- a damaged signature may make pyHanko raise any exception
        return _unjudged(document, name, Sentence.signature_damaged())


def _unjudged(document: Document, name: str, why: Said) -> SignatureVerdict:
    return SignatureVerdict(
        field=storable(name),
        is_document_time_stamp=False,
        trusted=False if document.judges_trust else None,
        **because(reason=why),
    )


async def _judged_or_uncomputed(document: Document, signature: Signature) -> SignatureVerdict:
    """Return the verdict on a signature. Without a verdict on its value, it is known whether the digest matches."""
    try:
        signature.require_computable()
        return await _judged_signature(document, signature)
    except CannotCompute as error:
        return replace(
            _unjudged(document, signature.field_name, error.why),
            is_document_time_stamp=signature.is_time_stamp,
            intact=signature.digest_matches(),
            signer_name=common_name(signature.signer_cert.subject),
            certificate=described(signature.signer_cert),
        )


async def _judged_signature(document: Document, signature: Signature) -> SignatureVerdict:
    stamps, content_stamps = await time_stamps(document, signature)
    stamps_fit = all(stamp.intact and stamp.valid for stamp in (*stamps, *content_stamps))
    signed_at, source = await time_of_signing(document, signature, stamps)
    moment = await moment_of(document, signature, signed_at, source)
    status = await _status(document, signature, signed_at)
    trust = await trust_of(document, signature, status, moment)
    if (
        status.trusted
        and status.validation_path
        and trust.revocation
        and trust.revocation.status is RevocationStatus.UNKNOWN
    ):
        document.wanted.extend(wanted_for(status.validation_path))
    algorithm = signature.algorithm()
    coverage = _coverage(document, signature, status)
    change = _change(document, signature, status, coverage)
    subject = signature.signer_cert.subject.native
    return SignatureVerdict(
        field=storable(signature.field_name),
        is_document_time_stamp=isinstance(status, DocumentTimestampStatus),
        intact=status.intact,
        valid=status.valid and stamps_fit,
        coverage=coverage,
        change=change,
        change_permitted=None if change is None else change is not LaterChange.OTHER and status.docmdp_ok is not False,
        locks=signature.docmdp_level is MDPPerm.NO_CHANGES,
        signer_name=text(subject.get("common_name")),
        signer_organization=text(subject.get("organization_name")),
        signed_at=signed_at,
        trusted=trust.trusted if stamps_fit or not document.judges_trust else False,
        digest=status.md_algorithm,
        certificate=described(signature.signer_cert),
        algorithm=str(algorithm),
        tier=await _tier(document, signature, trust, moment),
        strength=algorithm.strength(moment.at if moment.is_proven else moment.known),
        time_source=source,
        revocation=trust.revocation,
        **because(trust_reason=trust.why, reason=None if change else Sentence.update_not_compared()),
    )


async def _tier(document: Document, signature: Signature, trust: Trust, moment: Moment) -> Tier | None:
    """Return the tier by the lists of the settings. A signature that is not trusted has none above plain."""
    if not document.listed or signature.is_time_stamp or trust.trusted is None:
        return None
    if not trust.trusted:
        return Tier.PLAIN
    others = [*signature.other_embedded_certs, *document.evidence.certificates]
    return await tier_of(signature.signer_cert, others, document.listed, moment.at)


async def _status(document: Document, signature: Signature, signed_at: datetime | None) -> Status:
    """Return pyHanko's status of a signature, without a comparison of revisions if the comparison fails."""
    context = context_of(document, signed_at)
    try:
        return await _validated(signature, context, skip_diff=False)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 -- an update may be crafted to break the comparison
        return await _validated(signature, context, skip_diff=True)


async def _validated(signature: Signature, context: ValidationContext, *, skip_diff: bool) -> Status:
    if signature.is_time_stamp:
        return await async_validate_pdf_timestamp(signature, context, diff_policy=COMPARISON, skip_diff=skip_diff)
    # Seals have only digital_signature. By default pyHanko requires non_repudiation, and refuses a certificate without
    # usages.
    usages = {"digital_signature", "non_repudiation"} if signature.signer_cert.key_usage_value else set()
    return await async_validate_pdf_signature(
        signature,
        context,
        key_usage_settings=KeyUsageConstraints(key_usage=usages),
        diff_policy=COMPARISON,
        skip_diff=skip_diff,
    )


def _coverage(document: Document, signature: EmbeddedPdfSignature, status: Status) -> Coverage:
    if not _gap_is_signature(document, signature):
        return Coverage.UNCLEAR
    return _COVERAGE[status.coverage or SignatureCoverageLevel.UNCLEAR]


def _gap_is_signature(document: Document, signature: EmbeddedPdfSignature) -> bool:
    """Return whether the gap between the two parts of the signed range holds only the signature's value.

    pyHanko compares only lengths, and may read the value elsewhere: the gap may hold other, unsigned bytes.
    """
    if len(signature.byte_range) != 4:
        return False
    _, gap_start, gap_end, _ = signature.byte_range
    value = b"<%b>" % signature.pkcs7_content.hex().encode()
    document.file.seek(gap_start)
    return gap_end - gap_start == len(value) and document.file.read(len(value)).lower() == value


def _change(
    document: Document, signature: EmbeddedPdfSignature, status: Status, coverage: Coverage
) -> LaterChange | None:
    """Return the most serious change after a signature. None if the comparison has failed."""
    if coverage not in {Coverage.FILE, Coverage.REVISION} or not _rest_is_updates(document, signature):
        return LaterChange.OTHER
    return _CHANGE[status.modification_level] if status.modification_level is not None else None


def _rest_is_updates(document: Document, signature: EmbeddedPdfSignature) -> bool:
    """Return whether exactly the updates that pyHanko has found follow the signed bytes, to the last byte of the file.

    A viewer may also read bytes behind the end, and updates that are not in the chain of updates.
    """
    *_, start, length = signature.byte_range
    end = start + length
    if only_line_ends_follow(document, end):
        return True
    revisions = range(signature.signed_revision + 1, document.reader.total_revisions)
    return (
        0 < len(revisions) == updates_behind(document, end)
        and last_update(document) == document.reader.last_startxref
        and all(is_unambiguous(document, revision) for revision in revisions)
    )
