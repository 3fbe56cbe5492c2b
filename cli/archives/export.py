"""`cellar export`: writes an archive for a court, an auditor or a customer, or the request as it was sent."""

import hashlib
import io
import json
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

from adapters.files.bag import BagFile, write_bag
from adapters.files.new_files import new_file
from adapters.files.private import persons_files
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store.requests import StoredRequest, stored_request
from adapters.tables import receipts
from cli.terminal import Json
from domain.archive.file_names import safe_names
from domain.messages.summary_page import ExportedFile, History, summary_page
from domain.payments.reconciliation import reconcile
from models.archive.archive import Archive
from models.archive.verdict import verdict_as_json
from models.errors import Conflict, Refused
from models.views.archives import ArchiveView
from services.receipts.raw_body import opened_raw_body
from services.views import archive_view


def export(
    reference: str,
    *,
    to: Annotated[Path, typer.Option(help="A new folder or zip; with --raw a new file, or - for standard output.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the request, byte for byte as it was sent.")] = False,
    receipt: Annotated[str | None, typer.Option(help="A receipt id. Default: the current version's.")] = None,
    as_json: Json = False,
) -> None:
    """Write an archive as a BagIt bag: its files under their own names, a summary page, and all digests."""
    if as_json and str(to) == "-":
        raise typer.BadParameter("--json: expected a file in --to, since the request takes the standard output")
    receipt_id = _own(reference, receipt) if receipt else _current_receipt_id(reference)
    if raw and str(to) == "-":
        _write_raw(reference, receipt_id, sys.stdout.buffer)
    elif raw:
        with persons_files(), new_file(to) as file:
            _write_raw(reference, receipt_id, file)
    else:
        _write_bag(reference, receipt_id, to)
    if as_json:
        typer.echo(json.dumps({"reference": reference, "receipt_id": receipt_id, "path": str(to.absolute())}))


def _own(reference: str, receipt_id: str) -> str:
    """Return the receipt id if no other process has it: the inbox knows bodies by their receipt ids alone."""
    found = receipts.find(receipt_id)
    if found and found.reference != reference:
        raise _unknown()
    return receipt_id


def _current_receipt_id(reference: str) -> str:
    receipt_id = receipts.current_receipt_id(reference)
    if receipt_id is None:
        raise _unknown()
    return receipt_id


def _unknown() -> Refused:
    return Refused("UNKNOWN_ARCHIVE", "expected an archive and a receipt of it; try `cellar list` and `cellar show`")


def _write_raw(reference: str, receipt_id: str, target: BinaryIO) -> None:
    """Write a body from the store or the inbox, and check it against its receipt id.

    Raises:
        Conflict: the body does not match the receipt, and must not be used.
        Refused: neither store nor inbox has the body.
    """
    digest = hashlib.sha256()
    with opened_raw_body(reference, receipt_id) as body:
        for chunk in body.chunks:
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() != receipt_id:
        raise Conflict(f"the body does not match receipt {receipt_id}; do not use it, and run `cellar verify`")


def _write_bag(reference: str, receipt_id: str, to: Path) -> None:
    request, view = stored_request(reference, receipt_id), archive_view.archive(reference)
    if request is None or view is None:
        raise _unknown()
    archive = request.readable_archive()
    stored = [(content, content.stored) for content in archive.contents if content.stored]
    names = safe_names([each.filename for each, _ in stored], [each.media_type for each, _ in stored])
    files, shown = [], []
    for name, (content, kept) in zip(names, stored, strict=True):
        path = f"files/{name}"
        files.append(BagFile(path, partial(store().opened, request.files[kept.sha256]), kept.sha256))
        shown.append(ExportedFile(path, content))
    page = _page(archive, shown, request.version, view).encode()
    files += [BagFile("summary.html", partial(io.BytesIO, page))]
    if verdict := request.verdict():
        report = json.dumps(verdict_as_json(verdict), indent=1, ensure_ascii=False).encode()
        files += [BagFile("signatures.json", partial(io.BytesIO, report))]
    files += [BagFile("skeleton.json", partial(io.BytesIO, request.skeleton()))]
    with persons_files(), Progress(console=Console(stderr=True), transient=True) as progress:
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
    terms = settings().payment_terms
    history = History(number, view.versions, view.deliveries)
    found = [] if archive.is_locked else reconcile(archive, terms)
    return summary_page(archive, files, found, history, terms)
