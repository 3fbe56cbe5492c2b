"""Proves an archive before it is handed out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from adapters.files.store import store
from adapters.store import seals
from adapters.store.objects.requests import StoredRequest
from adapters.store.ocfl import FILES, REQUEST
from models.archive.archive import Archive
from models.archive.content import ContentCut
from models.errors import Conflict, Locked
from models.store.condition import ConditionCode
from models.store.fixity import Fault, FixityFinding, StoredObject
from services.anchors.anchors import against_newest
from services.custody.verifying import object_of, verify_object

_MOST_NAMED = 3


def doubts(request: StoredRequest) -> tuple[FixityFinding, ...]:
    """Return everything that speaks against a request and its archive; nothing if they prove.

    Reads the whole object, rebuilds each request in it, and holds it against the anchors of the store. A finding names
    a file by its digest and its role, since its name is people's data. A lost key speaks against nothing: it may have
    been destroyed on purpose, and the stored parts prove without it. `is_locked` says that the request does not.
    """
    stored = object_of(request.reference)
    key = seals.key_location(request.reference)
    findings = verify_object(stored).findings
    found = [each for each in findings if each.fault is not Fault.INTERRUPTED and each.key != key]
    roles = _roles(request)
    named = [_with_role(each, roles) for each in [*found, *_missing_files(stored, request)]]
    named += against_newest(request.reference)
    return tuple({each.key: each for each in reversed(named)}.values())[::-1]


def is_locked(request: StoredRequest) -> bool:
    """Return whether a request has sealed values that cannot be opened, so that it cannot be rebuilt."""
    if is_in_clear(request):
        return False
    try:
        seals.check_key(request.reference)
    except Locked:
        return True
    return False


def is_in_clear(request: StoredRequest) -> bool:
    """Return whether the parts in a bag rebuild the request: nothing of it is sealed."""
    try:
        return REQUEST not in request.keys and all(isinstance(each, ContentCut) for each in request.all_cuts())
    except Conflict:
        return False


def refuse_doubtful(findings: Sequence[FixityFinding]) -> None:
    """Refuse to hand out an archive with findings.

    Raises:
        Conflict: there are findings.
    """
    if not findings:
        return
    named = "; ".join(finding_text(each) for each in findings[:_MOST_NAMED])
    more = f"; and {len(findings) - _MOST_NAMED} more" if len(findings) > _MOST_NAMED else ""
    raise Conflict(
        f"the archive does not prove, so nothing was exported: {named}{more}; see `cellar verify` and `cellar verify "
        f"--against`, and {_remedy(findings)}; or export it with --damaged, as a bag that says so",
        code="NOT_PROVEN",
    )


def _remedy(findings: Sequence[FixityFinding]) -> str:
    if all(each.fault in (Fault.DIFFERS, Fault.STALE) for each in findings):
        return ConditionCode.ROWS_DIFFER.meaning.to_do
    return "restore the archive from a copy of the store"


def finding_text(finding: FixityFinding) -> str:
    return f"{finding.fault}: {finding.key}: expected {finding.expected}, found {finding.found}"


def readable(request: StoredRequest) -> Archive | None:
    """Return the archive of a request, without its secrets if their key is gone; None if it cannot be read at all."""
    try:
        return request.readable_archive()
    except Conflict:
        return None


def _missing_files(stored: StoredObject, request: StoredRequest) -> Iterator[FixityFinding]:
    try:
        cuts = request.cuts()
    except Conflict:
        return  # the digest of the cuts is a finding of its own
    for sha256 in dict.fromkeys(cut.content.sha256 for cut in cuts):
        if sha256 not in request.files or store().size(request.files[sha256]) is None:
            key = request.files.get(sha256, f"{stored.key}/{FILES}/{sha256}")
            yield FixityFinding(key, Fault.MISSING, "a file", "nothing")


def _roles(request: StoredRequest) -> Mapping[str, str]:
    archive = readable(request)
    contents = archive.contents if archive else ()
    return {each.stored.sha256: each.role for each in contents if each.stored}


def _with_role(finding: FixityFinding, roles: Mapping[str, str]) -> FixityFinding:
    sha256 = PurePosixPath(finding.key).name
    if sha256 not in roles:
        return finding
    return replace(finding, expected=f"the {roles[sha256].replace('_', ' ')} with SHA-256 {sha256}")
