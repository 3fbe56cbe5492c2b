"""Shows what was changed after a signature: pages of a signed document as they were signed and as they are."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from adapters.documents.examination import draw_changed_pages
from adapters.settings.settings import settings
from adapters.store.objects.requests import StoredRequest
from domain.archive.signed_document import changed_since
from models.archive.archive import Archive
from models.archive.content import Role
from services.evidence.downloads import file_chunks


def changed_pages(request: StoredRequest, archive: Archive) -> Mapping[str, bytes]:
    """Return pictures of the pages that look different since a signature, as PNG by their names.

    `3-signed.png` and `3-now.png` show page 3. Nothing was changed without the knowledge of a signer, or the document
    cannot be drawn: nothing.

    Raises:
        Conflict: the store has lost the document, or has other bytes.
        Transient: the document cannot be drawn now.
    """
    verdict = archive.judgements[-1].verdict if archive.judgements else archive.signed_document_verdict
    field = changed_since(verdict) if verdict else None
    stored = next((each.stored for each in archive.contents if each.role is Role.SIGNED_DOCUMENT), None)
    if field is None or stored is None or stored.sha256 not in request.files:
        return {}
    settings().spool_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings().spool_dir) as held:
        document, pictures = Path(held, "document"), Path(held, "pictures")
        pictures.mkdir()
        with document.open("wb") as file:
            file.writelines(file_chunks(request.reference, stored.sha256, stored.size_bytes))
        numbers = draw_changed_pages(document, field, pictures)
        drawn = {each.name: each for number in numbers for each in sorted(pictures.glob(f"{number}-*"), reverse=True)}
        return {name: each.read_bytes() for name, each in drawn.items()}
