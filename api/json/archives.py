"""`/api/archives`: archives as JSON, their files, and re-runs."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from starlette.convertors import StringConvertor, register_url_convertor

from api.access import CallerOf
from api.json.routes import NAMES_NOTHING, OF_A_LIST, does
from api.json.troubles import EXPLAINED, explain_discrepancy
from api.references import Reference, RouteAsSent
from domain.archive.file_names import safe_names
from models.access import Action
from models.errors import Refused
from models.views.archives import archives as views
from models.views.archives.holds import Holding, HoldsChanged, Releasing
from models.views.archives.payments import DiscrepancyView, Explanation
from models.views.parameters import Cursor
from services import holds
from services.evidence.downloads import file_chunks
from services.payments import discrepancies
from services.receipts import unknown_reference
from services.triggering import reruns
from services.views import archive_list, archive_view, troubles, unmasking
from services.views.differences import version_differences


class _ListConvertor(StringConvertor):
    regex = "|".join(archive_view.LISTS)


register_url_convertor("archive_list", _ListConvertor())
router = APIRouter(prefix="/api/archives", tags=["archives"], route_class=RouteAsSent)
_ERASED = {410: {"ERASED": "the archive was erased; `values` has when, by whom, on which ground, and its digest."}}
_FILE = {
    404: {"UNKNOWN_FILE": "the archive has no file with this digest, or no archive of the process was received."},
    500: {"CONFLICT": "the store has lost the file or a part of it, or the file is damaged; run `cellar verify`."},
} | _ERASED
_ANY_TYPE = ("application/octet-stream", "*/*")  # makers of clients know no `*/*`
_CONTENT = {
    "description": "The file. `Content-Type` is the media type that the sender declared, or"
    " `application/octet-stream`.",
    "content": {each: {"schema": {"type": "string", "format": "binary"}} for each in _ANY_TYPE},
    "headers": {
        "Content-Disposition": {"description": "A safe name of the download.", "schema": {"type": "string"}},
        "ETag": {"description": "The SHA-256 of the file.", "schema": {"type": "string"}},
    },
}
UNKNOWN = {404: {"UNKNOWN_REFERENCE": "no archive of this process was received."}} | _ERASED
_NOT_COMPARED = {
    404: {"UNKNOWN_VERSION": "the archive has no such version, or no archive of the process was received."},
    413: {"TOO_LARGE_TO_COMPARE": "a version has over 20,000 values; `cellar show REF --diff` compares any."},
    500: {"CONFLICT": "the store has lost a part of a version, or the archive's key; run `cellar verify`."},
} | _ERASED
_NOT_UNMASKED = {
    404: UNKNOWN[404] | NAMES_NOTHING,
    429: {"TOO_MANY_REQUESTS": "a viewer is given 30 masked values an hour; try again later."},
} | _ERASED
_HOLDS = "How many holds were put or released."
_NOT_HELD = {404: {"UNKNOWN_HOLD": "no such hold of the archive is in force."}} | _ERASED
_RUN = (
    "The flow run that was started, or that was already on its way; without an id while Prefect is away: it will start"
    " when Prefect is back."
)


@router.get("", **does(Action.LIST_ARCHIVES, "A page of archives, newest first", codes=OF_A_LIST))
def list_archives(query: Annotated[views.ArchiveQuery, Query()], caller: CallerOf) -> views.ArchivePage:
    return archive_list.page(query, caller)


# The longer paths come first: `:path` matches slashes too, since not every client or proxy encodes them.
@router.get(
    "/{reference:path}/files/{sha256}",
    response_class=StreamingResponse,
    **does(Action.DOWNLOAD_FILE, "A file's bytes", codes=_FILE, content=_CONTENT),
)
def read_file(reference: Reference, sha256: str, caller: CallerOf) -> StreamingResponse:
    """Always a download, because an attached file may be a page with a script.
    The name of the download is made safe for the reader's computer; `filename` in the archive is the name as sent.
    The end of a damaged file is never sent: the connection ends before the last bytes.
    """
    file = archive_view.file(reference, caller, sha256)
    if file is None:
        raise Refused("UNKNOWN_FILE", "the archive has no file with this digest", where="sha256", status=404)
    [filename] = safe_names([file.filename or f"{sha256}.bin"], [file.media_type])
    headers = {
        "content-length": str(file.size_bytes),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "etag": f'"{sha256}"',
    }
    stream = file_chunks(reference, sha256, file.size_bytes)
    return StreamingResponse(stream, media_type=_header_safe(file.media_type), headers=headers)


@router.get(
    "/{reference:path}/differences",
    **does(
        Action.READ_ARCHIVE,
        "What differs between two versions",
        "The differences. An empty list if nothing differs.",
        _NOT_COMPARED,
    ),
)
def read_differences(reference: Reference, before: int, after: int, caller: CallerOf) -> list[views.DifferenceView]:
    return [views.DifferenceView(**asdict(each)) for each in version_differences(reference, caller, before, after)]


@router.post(
    "/{reference:path}/rerun",
    status_code=202,
    **does(Action.RERUN, "Run an archive's latest receipt again", _RUN, UNKNOWN),
)
async def rerun_archive(reference: Reference, caller: CallerOf) -> views.RerunStarted:
    return (await reruns.rerun([reference], caller.name))[0]


@router.post(
    "/{reference:path}/discrepancies/{discrepancy_id}/explanation",
    **does(Action.DECIDE, "Explain a discrepancy", EXPLAINED[0], EXPLAINED[1] | _ERASED),
)
def explain_archive_discrepancy(
    reference: Reference, discrepancy_id: str, explanation: Explanation, caller: CallerOf
) -> DiscrepancyView:
    """The discrepancy stays explained until its values change or its cause is gone; 409 if that has already happened.
    Pass `expected` and `found` as you read them.
    """
    found = troubles.find_discrepancy(discrepancy_id)
    if found is None or found.reference != reference:
        raise discrepancies.unknown()
    return explain_discrepancy(discrepancy_id, explanation, caller)


@router.post("/{reference:path}/hold", **does(Action.HOLD, "Put an archive on legal hold", _HOLDS, UNKNOWN))
def hold_archive(reference: Reference, said: Holding, caller: CallerOf) -> HoldsChanged:
    """Until it is released, or its last day has passed, nobody can erase the archive, and the archive is not due."""
    chosen = views.ArchiveFilter(reference=reference)
    return HoldsChanged(holds=holds.put(chosen, said, caller.name, datetime.now(UTC)))


@router.post("/{reference:path}/release", **does(Action.HOLD, "Release an archive from legal hold", _HOLDS, _NOT_HELD))
def release_archive(reference: Reference, said: Releasing, caller: CallerOf) -> HoldsChanged:
    chosen = views.ArchiveFilter(reference=reference)
    return HoldsChanged(holds=holds.release(chosen, caller.name, said.reason, datetime.now(UTC), said.hold_id))


@router.post("/{reference:path}/unmask", **does(Action.UNMASK, "Read one masked value", "The value.", _NOT_UNMASKED))
def unmask_value(reference: Reference, asked: views.Unmasking, caller: CallerOf) -> views.Unmasked:
    """For viewers, who read `•••` in place of personal values. The access log keeps place and reason, not the value."""
    return unmasking.unmask(reference, asked.place, asked.why, caller, datetime.now(UTC))


@router.get(
    "/{reference:path}/{name:archive_list}",
    **does(Action.READ_ARCHIVE, "A page of a list of an archive", codes=UNKNOWN),
)
def read_archive_list(
    reference: Reference,
    caller: CallerOf,
    name: Annotated[str, Path(json_schema_extra={"enum": [*archive_view.LISTS]})],
    after: Annotated[Cursor | None, Query(description="`next` of the page before, or of the archive")] = None,
) -> views.ArchiveItems:
    """200 items of one of the lists of an archive, as `GET /api/archives/{reference}` has them."""
    found = archive_view.items(reference, caller, name, after)
    if found is None:
        raise unknown_reference(reference)
    return found


@router.get("/{reference:path}", **does(Action.READ_ARCHIVE, "An archive", "The archive.", UNKNOWN))
def read_archive(reference: Reference, caller: CallerOf) -> views.ArchiveView:
    archive = archive_view.archive(reference, caller)
    if archive is None:
        raise unknown_reference(reference)
    return archive


def _header_safe(media_type: str | None) -> str:
    """Return the type that the sender declared, where it is valid in a header. It goes out with `nosniff`."""
    if media_type and media_type.isascii() and media_type.isprintable() and "/" in media_type:
        return media_type
    return "application/octet-stream"
