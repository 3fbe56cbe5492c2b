"""Makes warnings about the content of a payload. A person examines them; an archive is never refused for them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from domain.body.media_type import contradicts
from models.archive.archive import Archive
from models.archive.session import Session
from models.archive.warning import ArchiveWarning, WarningCode

MOST_OF_A_CODE = 200
"""The most warnings of one code about an archive. A body of 0.4 MB may have 200,000 causes of warnings."""


def judge(archive: Archive, unreadable: tuple[ArchiveWarning, ...]) -> Archive:
    """Return `archive` with the warnings of its reading and about its content, each once, and bounded. Pure."""
    warnings = (
        *unreadable,
        *_judge_sessions(archive, {warning.where for warning in unreadable}),
        *_judge_signers(archive),
        *_judge_contents(archive),
    )
    return replace(archive, warnings=tuple(_bounded(dict.fromkeys(warnings))))


def _bounded(warnings: Iterable[ArchiveWarning]) -> Iterator[ArchiveWarning]:
    """Yield the first warnings of each code, and a warning for each code that has more."""
    counts = Counter[WarningCode]()
    for each in warnings:
        counts[each.code] += 1
        if counts[each.code] <= MOST_OF_A_CODE:
            yield each
    for code, count in counts.items():
        if count > MOST_OF_A_CODE:
            detail = f"{count - MOST_OF_A_CODE} more warnings of the code {code}"
            yield ArchiveWarning(WarningCode.MORE_WARNINGS, "", detail)


def _judge_sessions(archive: Archive, unreadable: set[str]) -> Iterator[ArchiveWarning]:
    for session in archive.sessions:
        yield from _judge_session(archive, session)
        where = f"{session.where}.submitted_at"
        if session.submitted_at is None and where not in unreadable:
            yield ArchiveWarning(WarningCode.SESSION_NOT_SUBMITTED, where, "the session was never submitted")


def _judge_session(archive: Archive, session: Session) -> Iterator[ArchiveWarning]:
    if session.reference is not None and session.reference != archive.reference:
        detail = "the session names a different process than the archive"
        yield ArchiveWarning(WarningCode.SESSION_REFERENCE_MISMATCH, f"{session.where}.reference", detail)
    otp = next((each for each in session.invitations if each.purpose == "otp"), None)
    if otp and otp.status != "sent":
        where = f"{session.where}.recipient.otp_destination.status"
        yield ArchiveWarning(WarningCode.OTP_NOT_SENT, where, "the one-time password was not sent")
    for integration in session.integrations:
        if integration.status != "success":
            where = f"{integration.where}.status"
            yield ArchiveWarning(WarningCode.INTEGRATION_FAILED, where, "an integration of the session did not succeed")


def _judge_signers(archive: Archive) -> Iterator[ArchiveWarning]:
    recipients = {session.recipient_id for session in archive.sessions}
    for signature in archive.signatures:
        if signature.signer_id not in recipients:
            where = f"{signature.where}.signed_by.id"
            yield ArchiveWarning(WarningCode.SIGNER_UNKNOWN, where, "the signer is not the recipient of any session")


def _judge_contents(archive: Archive) -> Iterator[ArchiveWarning]:
    for content in archive.contents:
        where = f"{content.where}.content"
        if content.stored and content.stored.infection:
            yield ArchiveWarning(WarningCode.FILE_INFECTED, where, f"ClamAV found {content.stored.infection}")
        if content.stored and not content.stored.is_scanned:
            yield ArchiveWarning(WarningCode.FILE_NOT_SCANNED, where, "the file is too large for ClamAV")
        if content.stored is None or content.stored.size_bytes == 0:
            yield ArchiveWarning(WarningCode.ATTACHMENT_EMPTY, where, "the file arrived without content")
        elif contradicts(content.media_type, content.stored.looks_like):
            detail = f"the file looks like {content.stored.looks_like}, which is not its declared type"
            yield ArchiveWarning(WarningCode.MEDIA_TYPE_MISMATCH, f"{content.where}.mimetype", detail)
