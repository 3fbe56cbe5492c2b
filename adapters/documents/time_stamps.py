"""Judges time stamps in a PDF, and says since when a signature is known to have existed."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from pyhanko.sign.validation.generic_cms import extract_tst_data_iter, message_imprint_checker, validate_tst_signed_data
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator import ValidationContext

from adapters.documents.pdf.document import Document, filled_fields
from adapters.documents.pdf.embedded_signature import Signature
from adapters.documents.trust.evidence import Evidence, in_signature
from adapters.documents.trust.signer_trust import Moment, Trust, context_at, trust_in
from models.archive.verdict import TimeSource


def context_of(document: Document, moment: datetime | None) -> ValidationContext:
    """Return how pyHanko is to judge a certificate that was used at a moment, at the latest now."""
    at = min(moment or document.now, document.now)
    return context_at(at, document.anchors(at), document.evidence.certificates)


def evidence_of(document: Document, signature: Signature) -> Evidence:
    """Return the evidence for a signature: in the document, and in the signature."""
    return document.evidence + in_signature(signature.signed_data, signature.signer_info)


async def trust_of(document: Document, signature: Signature, status: Any, moment: Moment) -> Trust:
    """Return whether the certificate of a signature, or of a time stamp in it, is trusted at a moment."""
    anchors = document.anchors(moment.at) if document.judges_trust else None
    return await trust_in(status, evidence_of(document, signature), anchors, moment)


async def moment_of(document: Document, signature: Signature, signed_at: datetime | None, source: TimeSource) -> Moment:
    """Return the time of signing, and since when the signature is known to have existed.

    A document time stamp proves that whatever it covers existed before, also signatures without a time stamp.
    """
    known = document.now
    if source is not TimeSource.TIME_STAMP and document.judges_trust:
        known = min([known, *[moment async for moment in _proofs(document, signature)]])
    return Moment(min(signed_at or known, known), known, is_proven=source is TimeSource.TIME_STAMP)


async def time_stamps(
    document: Document, signature: Signature
) -> tuple[list[TimestampSignatureStatus], list[TimestampSignatureStatus]]:
    """Judge the time stamps in a signature: of its value, and of the content, made before the signature.

    A document time stamp is judged as a signature.
    """
    if signature.is_time_stamp:
        return [], []
    of_value = extract_tst_data_iter(signature.signer_info, signed=False)
    of_content = extract_tst_data_iter(signature.signer_info, signed=True)
    imprint_of_value = message_imprint_checker(signature.signer_info)
    return (
        [await _time_stamp(document, token, imprint_of_value) for token in of_value],
        [await _time_stamp(document, token, signature.compute_digest) for token in of_content],
    )


async def time_of_signing(
    document: Document, signature: Signature, stamps: Sequence[TimestampSignatureStatus]
) -> tuple[datetime | None, TimeSource]:
    """Return the earliest time in a time stamp of a trusted authority, or else the time that the signer states.

    A signature does not cover its time stamp, so anybody can insert a time stamp of an authority of their own.
    """
    if signature.is_time_stamp:
        return _time_in(signature.signed_data), TimeSource.TIME_STAMP
    moments = [_zoned(stamp.timestamp) for stamp in stamps if await _is_trusted(document, signature, stamp)]
    if moments:
        return min(moments), TimeSource.TIME_STAMP
    own = signature.self_reported_timestamp
    return (_zoned(own), TimeSource.SIGNER) if own else (None, TimeSource.NONE)


async def _proofs(document: Document, signature: Signature) -> AsyncIterator[datetime]:
    """Yield the time of each trusted document time stamp that covers a signature."""
    *_, start, length = signature.byte_range
    for name, field in filled_fields(document.reader):
        try:
            stamp = Signature(document.reader, field, name)
            if stamp.is_time_stamp and _covers(stamp, start + length):
                status = await _time_stamp(document, stamp.signed_data, stamp.compute_digest)
                if await _is_trusted(document, stamp, status):
                    yield _zoned(status.timestamp)
        except (MemoryError, RecursionError):
            raise
        except Exception:  # noqa: BLE001, S112 -- a damaged time stamp proves nothing; it has a verdict of its own
            continue


def _covers(stamp: Signature, end: int) -> bool:
    return len(stamp.byte_range) == 4 and stamp.byte_range[0] == 0 and bool(end <= stamp.byte_range[1])


async def _is_trusted(document: Document, signature: Signature, stamp: TimestampSignatureStatus) -> bool:
    moment = Moment(_zoned(stamp.timestamp), document.now, is_proven=True)
    trust = await trust_of(document, signature, stamp, moment)
    return bool(stamp.intact and stamp.valid and trust.trusted)


async def _time_stamp(document: Document, token: Any, imprint: Callable[[str], bytes]) -> TimestampSignatureStatus:
    context = context_of(document, _time_in(token))
    return TimestampSignatureStatus(**await validate_tst_signed_data(token, context, imprint))


def _time_in(token: Any) -> datetime:
    return _zoned(token["encap_content_info"]["content"].parsed["gen_time"].native)


def _zoned(moment: datetime) -> datetime:
    return moment.replace(tzinfo=moment.tzinfo or UTC)
