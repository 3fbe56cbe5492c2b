"""Makes a bag of an archive that proves itself: documents, parts of the request, pages, proof, and a program."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from adapters.anchors import anchors
from adapters.anchors.witness import Comparison, witness
from adapters.files.bag import Bag, BagFile, write_bag
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import last_records, ocfl
from adapters.store.objects import judgements
from adapters.store.objects.deliveries import delivery_path
from adapters.store.objects.requests import StoredRequest, stored_request, stored_version
from adapters.store.ocfl import CUTS, SCANS, SKELETON, VERDICT
from adapters.tables.archives import archives
from adapters.words.languages import texts
from domain.anchors import fact_of_content, fact_of_delivery, leaf_text, statement_text
from domain.archive.file_names import safe_names
from domain.archive.validation_report import validation_report
from domain.payments.reconciliation import reconcile
from domain.summary_page import ExportedFile, Proof, Shown, page_name, summary_page
from domain.words.wording import LANGUAGES
from models.access import CELLAR, Caller
from models.archive.archive import Archive
from models.archive.content import ContentCut, Role
from models.errors import Conflict, Refused
from models.payments import PaymentTerms
from models.store.anchor import AnchorProof
from models.store.fixity import FixityFinding
from models.views.archives.archives import ArchiveView, DeliveryView
from services.anchors.anchors import proof_of
from services.evidence.changed_pages import changed_pages
from services.evidence.downloads import doubts, is_in_clear, is_locked, readable, refuse_doubtful
from services.templates import words_of
from services.views import archive_view


@dataclass(frozen=True, slots=True)
class Document:
    """A content of the request in the bag. `exported` is None if nothing in the archive names the content."""

    file: BagFile
    exported: ExportedFile | None
    size_bytes: int


def documents(request: StoredRequest, archive: Archive | None, *, are_whole: bool) -> list[Document]:
    """Return the contents of a request, under their own names where the archive names them.

    Args:
        archive: what it says; None if that cannot be read.
        are_whole: the contents must match their digests. Otherwise missing contents are left out, and others are taken
            as they are.
    """
    stored = [(each, each.stored) for each in (archive.contents if archive else ()) if each.stored]
    names = safe_names([each.filename for each, _ in stored], [each.media_type for each, _ in stored])
    found = []
    for name, (content, kept) in zip(names, stored, strict=True):
        file = _content(request, f"files/{name}", kept.sha256, are_whole=are_whole)
        found += [Document(file, ExportedFile(file.path, content), kept.size_bytes)] if file else []
    named = {kept.sha256 for _, kept in stored}
    for cut in {each.content.sha256: each for each in _cuts(request)}.values():
        file = _content(request, f"contents/{cut.content.sha256}", cut.content.sha256, are_whole=are_whole)
        if file and cut.content.sha256 not in named:
            found.append(Document(file, None, cut.content.size_bytes))
    return found


def parts(request: StoredRequest, *, are_whole: bool) -> Iterator[BagFile]:
    """Yield the parts that rebuild a request, its verdicts and scan results, and the inventory of its object."""
    for name in (SKELETON, CUTS, SCANS, VERDICT):
        if name in request.keys and (are_whole or store().size(request.keys[name]) is not None):
            yield _of_key(name, request.keys[name])
    key = ocfl.object_key(request.reference)
    yield _of_key(ocfl.INVENTORY, f"{key}/{ocfl.INVENTORY}")
    if not request.is_version:
        yield _of_key("delivery.json", f"{key}/{delivery_path(request.receipt_id)}")
    judged = stored_version(request.reference, request.version).receipt_id
    for judgement, _ in store().listed(f"{key}/{ocfl.LOGS}/{judgements.FOLDER}/{judged}"):
        yield _of_key(f"judgements/{PurePosixPath(judgement).name}", judgement)


def reports(request: StoredRequest, archive: Archive) -> Iterator[BagFile]:
    """Yield the validation reports: of the verdict at arrival, and of each later judgement beside it."""
    stored = next((each.stored for each in archive.contents if each.role is Role.SIGNED_DOCUMENT), None)
    made = [("validation-report.xml", archive.signed_document_verdict, request.arrived_at)]
    made += [(f"judgements/{each.number:06}.xml", each.verdict, each.at) for each in archive.judgements]
    for path, verdict, at in made:
        report = validation_report(verdict, stored.sha256, at, request.arrived_at) if verdict and stored else None
        if report:
            yield of_bytes(path, report)


def receipt_file(receipt_id: str, deliveries: Sequence[DeliveryView]) -> BagFile:
    """Return the receipt as the sender was answered, without the public link, and the times of its deliveries."""
    arrived = [
        {"received_at": each.received_at.isoformat(), "outcome": each.outcome}
        for each in deliveries
        if each.receipt_id == receipt_id
    ]
    answer = {"status": "0", "document": {"reference": receipt_id}, "errordesc": ""}
    return of_json("receipt.json", answer | {"deliveries": arrived})


def of_json(path: str, document: object) -> BagFile:
    return of_bytes(path, json.dumps(document, indent=1, ensure_ascii=False).encode())


def of_bytes(path: str, data: bytes) -> BagFile:
    return BagFile(path, partial(io.BytesIO, data))


def _content(request: StoredRequest, path: str, sha256: str, *, are_whole: bool) -> BagFile | None:
    key = request.files.get(sha256)
    if key is None or (not are_whole and store().size(key) is None):
        return None
    return BagFile(path, partial(store().opened, key), sha256 if are_whole else None)


def _of_key(path: str, key: str) -> BagFile:
    return BagFile(path, partial(store().opened, key))


def _cuts(request: StoredRequest) -> list[ContentCut]:
    try:
        return request.cuts()
    except Conflict:
        return []


def proof_files(proof: AnchorProof | None, roots: Sequence[Path]) -> Iterator[BagFile]:
    """Yield the files of a proof. Leaf and statement are what was hashed, signed and stamped, byte for byte.

    Args:
        roots: the files of the root certificates of time-stamp authorities, as PEM.
    """
    if proof is None:
        return
    included = proof.inclusion
    yield of_bytes("proof/leaf.json", leaf_text(included.leaf))
    yield of_bytes("proof/path.json", json.dumps({"index": included.index, "path": included.path}).encode())
    yield of_bytes("proof/statement.json", statement_text(included.statement))
    yield of_bytes("proof/statement.sig", proof.signature)
    yield of_bytes("proof/key.pem", proof.public_key)
    renewed = {}
    for number, (name, token) in enumerate(sorted(proof.tokens.items()), 1):
        renewed[name] = f"proof/time-stamp-{number}.tsr"
        yield of_bytes(renewed[name], token)
    yield from _renewals(proof, renewed)
    if proof.tokens and roots:
        yield of_bytes("proof/authorities.pem", b"\n".join(each.read_bytes() for each in roots))


def _renewals(proof: AnchorProof, renewed: Mapping[str, str]) -> Iterator[BagFile]:
    """Yield the later time stamps that renew those of a proof, and what shows that they cover these.

    Args:
        renewed: the paths in the bag of the time stamps of the proof, by the names of their files in the store.
    """
    first, entries = proof.inclusion.statement.number, list[Mapping[str, object]]()
    for number, each in enumerate(proof.renewals, 1):
        token = f"proof/renewal-{number}.tsr"
        named, name = each.inclusion, each.inclusion.leaf.key.partition(".")[2]
        renews = entries[-1]["token"] if entries else renewed[name]
        places = {"index": named.index, "path": named.path, "named_in": named.statement.number - first}
        leaf = leaf_text(named.leaf).decode()
        entries.append({"renews": renews, "token": token, "over": each.number - first, "leaf": leaf, **places})
        yield of_bytes(token, each.token)
    if entries:
        yield of_json("proof/renewals.json", entries)
        yield of_bytes("proof/later.jsonl", b"".join(statement_text(each) + b"\n" for each in proof.later))


CHECK = "check.py"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A proved archive, ready to be written as a bag. `size_bytes` is the size of its documents. `is_locked`: without
    its key, the stored parts are proved and the request is not. `is_anchored`: it has a proof, whose key signs its bag.
    """

    files: Sequence[BagFile]
    info: Mapping[str, str]
    size_bytes: int
    findings: Sequence[FixityFinding]
    is_locked: bool
    is_anchored: bool


def evidence(
    reference: str, receipt_id: str, now: datetime, caller: Caller = CELLAR, *, even_damaged: bool = False
) -> Evidence:
    """Prove an archive, and return what its bag will have for a caller. Reads the archive's whole object.

    Raises:
        Conflict: the archive does not prove, and not `even_damaged`; or its inventory cannot be read.
        Refused: there is no such archive or receipt, or the caller does not see it.
    """
    request, view = stored_request(reference, receipt_id), archive_view.archive(reference, caller, archive_view.WHOLE)
    if request is None and archives.has_version(receipt_id):
        text = "the archive does not prove, so nothing was exported: the store has lost it; see `cellar verify`"
        raise Conflict(f"{text}, and put it back by `cellar restore REFERENCE`", code="NOT_PROVEN")
    if request is None or view is None:
        raise Refused("UNKNOWN_ARCHIVE", "no such archive or receipt; try `cellar list` and `cellar show REFERENCE`")
    findings = doubts(request)
    if not even_damaged:
        refuse_doubtful(findings)
    anchored = None if findings else _proof_of(request)
    locked = is_locked(request)
    held = settings().holder, receipt_id, request.arrived_at, is_in_clear(request), locked, findings
    proof = Proof(now, *held, anchored, *_witness_of(anchored))
    archive = readable(request)
    found = documents(request, archive, are_whole=not findings)
    pages = _pages(_shown(archive, found, request, view), proof, request.payment_terms)
    files = [*(each.file for each in found), *pages, *_proving_files(request, view, proof)]
    if archive:
        files += reports(request, archive)
    if archive and not findings:
        files += [of_bytes(f"changed/{name}", data) for name, data in changed_pages(request, archive).items()]
    size_bytes = sum(each.size_bytes for each in found)
    return Evidence(files, _info(request, proof), size_bytes, findings, locked, anchored is not None)


def _proving_files(request: StoredRequest, view: ArchiveView, proof: Proof) -> Iterator[BagFile]:
    yield from parts(request, are_whole=not proof.findings)
    yield receipt_file(request.receipt_id, view.deliveries)
    yield from proof_files(proof.anchored, [Path(each) for each in settings().time_stamp_roots])
    if proof.findings:
        yield of_json("damaged.json", [asdict(each) for each in proof.findings])


def _proof_of(request: StoredRequest) -> AnchorProof | None:
    """Return the proof by the newest anchor that has the archive as it is, with this receipt and its content root.

    It counts only if its key is still that of this installation: a bag that it does not sign, anybody may have made.
    """
    proof = proof_of(request.reference)
    if proof is None or request.receipt_id not in proof.inclusion.leaf.receipt_ids:
        return None
    if proof.public_key != anchors.known_public_key():
        return None
    facts = set() if request.is_version else {fact_of_delivery(request.receipt_id, request.version)}
    facts |= {fact_of_content(request.receipt_id, request.kept_root)} if request.kept_root else set()
    return proof if facts.issubset(proof.inclusion.leaf.facts) else None


def _witness_of(anchored: AnchorProof | None) -> tuple[str, datetime | None]:
    """Return where the witness has an anchor, and when the store was last compared with it; nothing if unknown."""
    there, last = witness(), last_records.find(Comparison)
    if there is None or anchored is None or last is None or not last.is_of_witness or last.findings or last.failure:
        return "", None
    has_it = last.number >= anchored.inclusion.statement.number
    return (there.location(""), last.at) if has_it else ("", None)


def write_evidence(made: Evidence, to: Path, on_written: Callable[[int], None]) -> None:
    """Write a bag into a new folder or zip. Raises as `write_bag` does."""
    bag = bag_of(made)
    write_bag(to, bag.files, bag.info, on_written, bag.about, bag.sign)


def bag_of(made: Evidence, folder: str = "") -> Bag:
    """Return a proved archive as a bag, with the program that checks it. It is signed by the key of its anchor."""
    program = of_bytes(CHECK, Path(__file__).with_name(CHECK).read_bytes())
    return Bag(folder, made.files, made.info, [program], _sign if made.is_anchored else None)


def _sign(text: bytes) -> bytes:
    return anchors.signed(text)[0]


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
