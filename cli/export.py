"""`cellar export`: an archive for a court, an auditor or a customer; or the request as it was sent."""

import hashlib
import io
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import Progress

from adapters import catalogue, receipts, store
from adapters.bag import BagFile, write_bag
from adapters.settings import settings
from adapters.stored import StoredRequest, stored_request
from domain.file_names import safe_names
from domain.reconciliation import reconcile
from domain.summary_page import ExportedFile, History, summary_page
from models.archive import Archive
from models.errors import Conflict, Refused
from models.view import ArchiveView


def export(
    reference: str,
    *,
    to: Annotated[Path, typer.Option(help="A new folder or zip; with --raw a new file, or - for standard output.")],
    raw: Annotated[bool, typer.Option("--raw", help="The request, byte for byte as it was sent.")] = False,
    receipt: Annotated[str | None, typer.Option(help="Of this receipt; without one, of the current version.")] = None,
) -> None:
    """Write an archive as a BagIt bag: its files under their own names, a page to read, and all their digests."""
    request = _request(reference, receipt)
    if raw and str(to) == "-":
        _write_raw(request, sys.stdout.buffer)
    elif raw:
        _write_raw_file(request, to)
    else:
        _write_bag(reference, request, to)


def _request(reference: str, receipt_id: str | None) -> StoredRequest:
    wanted = receipt_id or receipts.current_receipt_id(reference)
    request = stored_request(reference, wanted) if wanted else None
    if request is None:
        raise Refused("UNKNOWN_ARCHIVE", "nothing of that is archived; try `cellar list` and `cellar show`")
    return request


def _write_raw(request: StoredRequest, target: BinaryIO) -> None:
    """Write the body, and find out whether it is that of the receipt.

    Raises:
        Conflict: it is not, and must not be used.
    """
    digest = hashlib.sha256()
    for chunk in request.body():
        digest.update(chunk)
        target.write(chunk)
    if digest.hexdigest() != request.receipt_id:
        raise Conflict(f"the store gives back another body than receipt {request.receipt_id}; verify the archive")


def _write_raw_file(request: StoredRequest, to: Path) -> None:
    try:
        with to.open("xb") as file:
            _write_raw(request, file)
    except FileExistsError as error:
        raise Refused("TARGET_EXISTS", "expected a path where nothing is; remove it or choose another") from error
    except BaseException:
        to.unlink()  # half a request looks like a whole one
        raise


def _write_bag(reference: str, request: StoredRequest, to: Path) -> None:
    view = catalogue.archive(reference)
    if view is None:
        raise Refused("UNKNOWN_ARCHIVE", "the database does not have this archive")
    archive = request.archive()
    stored = [(content, content.stored) for content in archive.contents if content.stored]
    names = safe_names([each.filename for each, _ in stored], [each.media_type for each, _ in stored])
    files, shown = [], []
    for name, (content, kept) in zip(names, stored, strict=True):
        path = f"files/{name}"
        files.append(BagFile(path, partial(store.opened, request.files[kept.sha256]), kept.sha256))
        shown.append(ExportedFile(path, content))
    page = _page(archive, shown, request.version, view).encode()
    files += [BagFile("summary.html", partial(io.BytesIO, page))]
    files += [BagFile("skeleton.json", partial(io.BytesIO, request.skeleton()))]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("export", total=sum(each.size_bytes for _, each in stored))
        write_bag(to, files, _info(reference, request), lambda size_bytes: progress.advance(task, size_bytes))


def _info(reference: str, request: StoredRequest) -> dict[str, str]:
    return {
        "External-Identifier": reference,
        "External-Description": f"Version {request.version} of a Cellosign archive",
        "Bagging-Date": f"{datetime.now(UTC):%Y-%m-%d}",
        "Bag-Software-Agent": f"cellar {version('cellosign-cellar')}",
        "Request-SHA256": request.receipt_id,
    }


def _page(archive: Archive, files: Sequence[ExportedFile], number: int, view: ArchiveView) -> str:
    unit = settings().amount_unit
    found = reconcile(archive.payments, archive.fields, archive.sessions, unit)
    return summary_page(archive, files, found, History(number, view.versions, view.deliveries), unit)
