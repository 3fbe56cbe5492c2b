"""Makes a bag of an archive that proves itself: documents, parts of the request, pages, proof, and a program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from adapters.files.bag import BagFile, write_bag
from adapters.settings.settings import settings
from adapters.store.objects.requests import StoredRequest, stored_request
from adapters.tables.archives import archives
from adapters.words.languages import texts
from domain.payments.reconciliation import reconcile
from domain.summary_page import Proof, Shown, page_name, summary_page
from domain.words.wording import LANGUAGES
from models.archive.archive import Archive
from models.errors import Conflict, Refused
from models.payments import PaymentTerms
from models.store.anchor import AnchorProof
from models.store.fixity import FixityFinding
from models.views.archives.archives import ArchiveView
from services.anchors.anchors import proof_of
from services.evidence.parts import Document, documents, of_bytes, of_json, parts, proof_files, receipt_file
from services.evidence.proving import doubts, is_in_clear, is_locked, readable, refuse_doubtful
from services.templates import words_of
from services.views import archive_view

CHECK = "check.py"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A proved archive, ready to be written as a bag. `size_bytes` is the size of its documents. `is_locked`: without
    its key, the stored parts are proved and the request is not.
    """

    files: Sequence[BagFile]
    info: Mapping[str, str]
    size_bytes: int
    findings: Sequence[FixityFinding]
    is_locked: bool


def evidence(reference: str, receipt_id: str, now: datetime, *, even_damaged: bool = False) -> Evidence:
    """Prove an archive, and return what its bag will have. Reads the archive's whole object.

    Raises:
        Conflict: the archive does not prove, and not `even_damaged`; or its inventory cannot be read.
        Refused: there is no such archive or receipt.
        Transient: store or database does not answer.
    """
    request, view = stored_request(reference, receipt_id), archive_view.archive(reference, archive_view.WHOLE)
    if request is None and archives.has_version(receipt_id):
        text = "the archive does not prove, so nothing was exported: the store has lost it; see `cellar verify`"
        raise Conflict(f"{text}, and restore it from a copy of the store", code="NOT_PROVEN")
    if request is None or view is None:
        raise Refused("UNKNOWN_ARCHIVE", "no such archive or receipt; try `cellar list` and `cellar show REFERENCE`")
    findings = doubts(request)
    if not even_damaged:
        refuse_doubtful(findings)
    anchored = None if findings else _proof_of(request)
    locked = is_locked(request)
    proof = Proof(now, settings().holder, receipt_id, is_in_clear(request), locked, findings, anchored)
    archive = readable(request)
    found = documents(request, archive, are_whole=not findings)
    pages = _pages(_shown(archive, found, request, view), proof, request.payment_terms)
    files = [*(each.file for each in found), *pages, *_proving_files(request, view, proof)]
    return Evidence(files, _info(request, proof), sum(each.size_bytes for each in found), findings, locked)


def _proving_files(request: StoredRequest, view: ArchiveView, proof: Proof) -> Iterator[BagFile]:
    yield from parts(request, are_whole=not proof.findings)
    yield receipt_file(request.receipt_id, view.deliveries)
    yield from proof_files(proof.anchored, [Path(each) for each in settings().time_stamp_roots])
    if proof.findings:
        yield of_json("damaged.json", [asdict(each) for each in proof.findings])


def _proof_of(request: StoredRequest) -> AnchorProof | None:
    """Return the proof by the newest anchor that has the archive as it is, with this receipt."""
    proof = proof_of(request.reference)
    return proof if proof and request.receipt_id in proof.inclusion.leaf.receipt_ids else None


def write_evidence(made: Evidence, to: Path, on_written: Callable[[int], None]) -> None:
    """Write a bag into a new folder or zip. Raises as `write_bag` does."""
    program = of_bytes(CHECK, Path(__file__).with_name(CHECK).read_bytes())
    write_bag(to, made.files, made.info, on_written, [program])


def _shown(
    archive: Archive | None, found: Sequence[Document], request: StoredRequest, view: ArchiveView
) -> Shown | None:
    if archive is None:
        return None
    terms = request.payment_terms
    discrepancies = [] if archive.is_locked else reconcile(archive, terms)
    files = [each.exported for each in found if each.exported]
    names, words = view.title.template, words_of(view.template_id)
    return Shown(archive, files, discrepancies, request.version, view.versions, view.deliveries, names, words)


def _pages(shown: Shown | None, proof: Proof, terms: PaymentTerms) -> Iterator[BagFile]:
    for language in LANGUAGES:
        page = summary_page(shown, proof, terms, language, texts(language))
        yield of_bytes(page_name(language), page.encode())


def _info(request: StoredRequest, proof: Proof) -> dict[str, str]:
    holder = {"Source-Organization": proof.holder} if proof.holder else {}
    return holder | {
        "External-Identifier": request.reference,
        "External-Description": f"Version {request.version} of a Cellosign archive",
        "Bagging-Date": f"{proof.at:%Y-%m-%d}",
        "Bag-Software-Agent": f"cellar {version('cellosign-cellar')}",
        "Request-SHA256": request.receipt_id,
    }
