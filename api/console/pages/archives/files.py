"""Files of an archive: previews with the places of form fields, bytes, and the copy that proves itself."""

import tempfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from zipfile import ZipFile

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from adapters.lists.list_files import line_of_csv
from adapters.settings.settings import settings
from adapters.store.objects.requests import StoredRequest, stored_request
from adapters.tables.runs import receipts
from api.access import CallerOf, acts
from api.console.frame.rendering import archive_url, render
from api.console.frame.threads import in_thread_of_exports
from api.references import Reference, RouteAsSent
from domain.archive.file_names import safe_names
from models.access import Action, Caller
from models.archive.archive import Archive
from models.archive.content import FileRow
from models.errors import Code, Conflict, Refused, Unreadable
from models.people import ActionKind
from services.access.log import record
from services.access.scope import check_loaded, check_visible
from services.evidence.bag import evidence, reports, write_evidence
from services.evidence.changed_pages import changed_pages
from services.evidence.downloads import file_chunks, is_whole, readable
from services.people import actions
from services.receipts import unknown_reference
from services.views import archive_view

_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"}
_PDF = "application/pdf"
_MOST_PREVIEWED_BYTES = 64 << 20
_MOST_TEXT_BYTES = 200 << 10
_ALONE = "sandbox; default-src 'none'; img-src 'self'; style-src 'none'"
router = APIRouter(route_class=RouteAsSent)


def preview_kind(file: FileRow) -> str | None:
    """Return how a file is shown: image, pdf or text, None if it is only handed out. Its bytes decide, not its name."""
    seen = file.looks_like or ""
    if file.infection or file.size_bytes > _MOST_PREVIEWED_BYTES:
        return None
    if seen in _IMAGES:
        return "image"
    if seen == _PDF:
        return "pdf"
    declared = (file.media_type or "").partition(";")[0].strip().lower()
    is_text = seen.startswith("text/") or (not seen and declared.startswith(("text/", "application/json")))
    return "text" if is_text else None


@router.get("/archives/{reference:path}/files/{sha256}/view", dependencies=[acts(Action.DOWNLOAD_FILE)])
def view(request: Request, reference: Reference, sha256: str, caller: CallerOf) -> Response:
    file = _file(reference, caller, sha256)
    is_lost = file.size_bytes <= _MOST_PREVIEWED_BYTES and not is_whole(reference, sha256, file.size_bytes)
    kind = None if is_lost else preview_kind(file)
    text = _text(reference, file) if kind == "text" else None
    source = archive_url(reference, "files", sha256)
    shown: dict[str, Any] = {"file": file, "kind": kind, "text": text, "source": source, "is_lost": is_lost}
    return render(request, "file.html", reference=reference, **shown)


@router.get("/archives/{reference:path}/files/{sha256}", dependencies=[acts(Action.DOWNLOAD_FILE)])
def read(reference: Reference, sha256: str, caller: CallerOf, download: bool = False) -> Response:
    """Return a file's bytes: an image as such, where its first bytes show one; everything else as a download."""
    file = _file(reference, caller, sha256)
    try:
        chunks = file_chunks(reference, sha256, file.size_bytes)
    except (Conflict, Unreadable) as error:  # by its status, the viewer tells damage from a store that is away
        raise Refused(cast(Code, error.code), error.said, where="sha256", status=409) from error
    shows = preview_kind(file) == "image" and not download
    [name] = safe_names([file.filename or f"{sha256}.bin"], [file.media_type])
    headers = {
        "content-length": str(file.size_bytes),
        "content-disposition": f"{'inline' if shows else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}",
        "content-security-policy": _ALONE,
        "cache-control": "private, no-store",
    }
    media_type = str(file.looks_like) if shows else "application/octet-stream"
    return StreamingResponse(chunks, media_type=media_type, headers=headers)


def _stored(reference: str, caller: Caller) -> tuple[StoredRequest | None, Archive | None]:
    check_visible(caller, reference)
    request = stored_request(reference, receipts.current_receipt_id(reference) or "")
    return request, readable(request) if request else None


@router.get("/archives/{reference:path}/changed-pages", dependencies=[acts(Action.DOWNLOAD_FILE)])
def show_changed_pages(request: Request, reference: Reference, caller: CallerOf) -> Response:
    """Show the pages of the signed document that look different since somebody signed."""
    stored, archive = _stored(reference, caller)
    found = changed_pages(stored, archive) if stored and archive else {}
    pictures = {name.partition(".")[0]: b64encode(data).decode() for name, data in found.items()}
    return render(request, "changed_pages.html", reference=reference, pictures=pictures)


@router.get("/archives/{reference:path}/validation-report.xml", dependencies=[acts(Action.DOWNLOAD_FILE)])
def validation_report(reference: Reference, caller: CallerOf) -> Response:
    """Return the validation report of the newest judgement, ETSI TS 119 102-2, as a download."""
    request, archive = _stored(reference, caller)
    found = list(reports(request, archive)) if request and archive else []
    if not found:
        raise Refused("UNKNOWN_FILE", "the archive has no document with a signature", status=404)
    headers = {"content-disposition": "attachment", "cache-control": "private, no-store"}
    with found[-1].opened() as report:
        return Response(report.read(), media_type="application/xml", headers=headers)


@router.post("/archives/{reference:path}/export", dependencies=[acts(Action.EXPORT_ARCHIVE)])
async def export(reference: Reference, caller: CallerOf) -> Response:
    """Return the archive as a zip that proves itself, as `cellar export` writes it."""
    path = await in_thread_of_exports(_exported, reference, caller)
    [name] = safe_names([f"{reference}.zip"], ["application/zip"])
    return handed_out(path, name)


def exported_bags(references: Sequence[str], caller: Caller) -> Path:
    """Return a new zip with the bag of each archive, and with a list of those that do not prove."""
    names = safe_names([f"{each}.zip" for each in references], [None] * len(references))
    left_out = [("reference", "code")]
    with new_export() as path, ZipFile(path, "w") as whole:
        for reference, name in zip(references, names, strict=True):
            try:
                record(caller, Action.EXPORT_ARCHIVE, reference=reference)
                bag = _exported(reference, caller)
            except (Refused, Conflict) as error:
                left_out.append((reference, error.code))
                continue
            try:
                whole.write(bag, name)
            finally:
                remove(bag)
        if len(left_out) > 1:
            whole.writestr("left-out.csv", "".join(map(line_of_csv, left_out)))
    return path


def _exported(reference: str, caller: Caller) -> Path:
    receipt_id = receipts.current_receipt_id(reference)
    if receipt_id is None:
        raise unknown_reference(reference)
    now = datetime.now(UTC)
    made = evidence(reference, receipt_id, now, caller)
    with new_export() as path:
        write_evidence(made, path, lambda _: None)
        check_loaded(caller, reference)
        actions.record([reference], ActionKind.EXPORT, caller.name, now)
    return path


@contextmanager
def new_export(name: str = "archive.zip") -> Iterator[Path]:
    """Yield the path of a new export in a folder of its own. `handed_out` removes both, as a failure does."""
    settings().spool_dir.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="export-", dir=settings().spool_dir)) / name
    try:
        yield path
    except BaseException:
        remove(path)
        raise


def handed_out(path: Path, name: str) -> FileResponse:
    """Return an export as a download under a name, and remove it afterwards."""
    return FileResponse(path, media_type="application/zip", filename=name, background=BackgroundTask(remove, path))


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()


def _file(reference: str, caller: Caller, sha256: str) -> FileRow:
    file = archive_view.file(reference, caller, sha256)
    if file is None:
        raise Refused("UNKNOWN_FILE", "the archive has no file with this digest", where="sha256", status=404)
    return file


def _text(reference: str, file: FileRow) -> str:
    """Return the beginning of a text file."""
    kept = b""
    for chunk in file_chunks(reference, file.sha256, file.size_bytes):
        kept += chunk
        if len(kept) > _MOST_TEXT_BYTES:
            break
    return kept[:_MOST_TEXT_BYTES].decode(errors="replace")
