"""Makes warnings about the content of a payload. A person examines them; an archive is never refused for them.

Of a key that comes again, the last value counts, but no file is lost.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from domain.body.json_text import Repeating
from domain.body.media_type import contradicts
from domain.body.node import Node, step
from models.archive.archive import Archive, ArchiveWarning, WarningCode
from models.archive.content import Role
from models.archive.session import Session

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
            values = {"count": count - MOST_OF_A_CODE, "code": str(code)}
            yield ArchiveWarning(WarningCode.MORE_WARNINGS, "", values)


def _judge_sessions(archive: Archive, unreadable: set[str]) -> Iterator[ArchiveWarning]:
    for session in archive.sessions:
        yield from _judge_session(archive, session)
        where = f"{session.where}.submitted_at"
        if session.submitted_at is None and where not in unreadable:
            yield ArchiveWarning(WarningCode.SESSION_NOT_SUBMITTED, where)


def _judge_session(archive: Archive, session: Session) -> Iterator[ArchiveWarning]:
    if session.reference is not None and session.reference != archive.reference:
        yield ArchiveWarning(WarningCode.SESSION_REFERENCE_MISMATCH, f"{session.where}.reference")
    otp = next((each for each in session.invitations if each.purpose == "otp"), None)
    if otp and otp.status != "sent":
        yield ArchiveWarning(WarningCode.OTP_NOT_SENT, f"{session.where}.recipient.otp_destination.status")
    for integration in session.integrations:
        if integration.status != "success":
            yield ArchiveWarning(WarningCode.INTEGRATION_FAILED, f"{integration.where}.status")


def _judge_signers(archive: Archive) -> Iterator[ArchiveWarning]:
    recipients = {session.recipient_id for session in archive.sessions}
    for signature in archive.signatures:
        if signature.signer_id not in recipients:
            yield ArchiveWarning(WarningCode.SIGNER_UNKNOWN, f"{signature.where}.signed_by.id")


def _judge_contents(archive: Archive) -> Iterator[ArchiveWarning]:
    for content in archive.contents:
        where = f"{content.where}.content"
        if content.stored and content.stored.infection:
            yield ArchiveWarning(WarningCode.FILE_INFECTED, where, {"name": content.stored.infection})
        if content.stored and not content.stored.is_scanned:
            yield ArchiveWarning(WarningCode.FILE_NOT_SCANNED, where)
        if content.stored is None or content.stored.size_bytes == 0:
            yield ArchiveWarning(WarningCode.ATTACHMENT_EMPTY, where)
        elif contradicts(content.media_type, content.stored.looks_like):
            values = {"type": content.stored.looks_like}
            yield ArchiveWarning(WarningCode.MEDIA_TYPE_MISMATCH, f"{content.where}.mimetype", values)


def repeated_keys(document: Any) -> list[ArchiveWarning]:
    """Return a warning for each key that repeats, if `json_text.parse_with_repeats` has read the document."""
    if not isinstance(document, Repeating):
        return []
    places = dict.fromkeys(_places(document, ""))
    return [ArchiveWarning(WarningCode.DUPLICATE_KEY, place) for place in places]


def overridden_files(root: Node, files: Iterable[Node]) -> Iterator[tuple[Node, str]]:
    """Yield the contents that a later key overrides, as the index of the cut, each with the file that declares it.

    Only the scanner writes texts there: the index of a cut.
    """
    earlier = list(_earlier_files(root))
    for place in [*files, *earlier]:
        yield from (
            (place, value) for key, value in _earlier(place.value) if key == "content" and isinstance(value, str)
        )
    for place in earlier:
        if isinstance(index := place.member("content").value, str):
            yield place, index


def _earlier_files(root: Node) -> Iterator[Node]:
    for key, value in _earlier(root.value):
        place = Node(value, key, root.reading)
        if key == Role.SIGNED_DOCUMENT and isinstance(value, dict):
            yield place
        elif key == "attachments" and isinstance(value, list):
            yield from place.objects()


def _earlier(value: Any) -> list[tuple[str, Any]]:
    return value.earlier if isinstance(value, Repeating) else []


def _places(value: Any, path: str) -> Iterator[str]:
    """Yield the places of the repeated keys, in the values that count and in those that do not."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _places(each, f"{path}[{index}]")
    elif isinstance(value, dict):
        numbers = {key: number for number, key in enumerate(value)}
        for key, each in _earlier(value):
            place = (path + step(key, numbers[key])).removeprefix(".")
            yield place
            yield from _places(each, place)
        for key, each in value.items():
            yield from _places(each, (path + step(key, numbers[key])).removeprefix("."))
