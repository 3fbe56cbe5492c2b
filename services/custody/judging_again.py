"""Judges signed documents again, and keeps news in the store, beside the verdict of the document's arrival.

The rows of the current version follow the newest judgement. A judgement that says the same by the same trust roots as
the one before is not kept, so judging again and again makes nothing grow.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from adapters.database.transactions import pages
from adapters.documents.trust_files import trust_digest
from adapters.files.spool import spooled, write_spooled
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint, one_fate
from adapters.platform.durable import digest_of_file
from adapters.store import ocfl
from adapters.store.objects import judgements
from adapters.store.objects.requests import StoredRequest, stored_version
from adapters.store.ocfl import REVOCATION, VERDICT
from adapters.tables.archives import archives
from adapters.tables.runs import leases
from domain.archive.rows import judged_rows
from domain.archive.signed_document import contradictions, described, is_worse
from models.archive.archive import Archive
from models.archive.content import Role, SignedDocumentRow
from models.archive.verdict import Change, Contradiction, Judged, Judgement, Verdict
from models.errors import Conflict, Transient, Unreadable
from models.store.fixity import StoredObject
from services.processing.examining import Examined, examined_again

_AT_ONCE = 2  # as many documents as `examine` judges at a time
_PAGE = 16
_LEASE_S = 30  # for a file and two rows


def judge_objects(objects: Iterable[StoredObject], on_judged: Callable[[StoredObject, Judged], None]) -> Judged:
    """Judge the signed document of each version of objects again, and report each object when it is done, in order.

    Raises:
        Transient: the store or the database does not answer, or no document can be judged now.
    """
    whole = Judged()
    with ThreadPoolExecutor(_AT_ONCE) as threads, one_fate():
        for page in pages((each for each in objects if each.key), _PAGE):
            checkpoint()
            waiting = [(each, threads.submit(copy_context().run, judge_object, each.key)) for each in page]
            for each, future in waiting:
                judged = future.result()
                on_judged(each, judged)
                whole += judged
    return whole


def due(most: int) -> list[StoredObject]:
    """Return up to `most` objects whose documents were judged last with other trust roots than today's, without the
    sizes of their files. Raises as `trust_digest` does.
    """
    found = archives.judged_by_other_roots(trust_digest(), most)
    return [StoredObject(ocfl.object_key(each), {}) for each in found]


def count_due() -> int:
    """Return the number of all objects that `due` chooses from."""
    return archives.count_judged_by_other_roots(trust_digest())


def judge_object(key: str) -> Judged:
    """Judge the signed document of each version of an object again, as of the arrival of the first version that has it.

    So time alone changes no verdict. A document that is in several versions is judged once. Raises as `judge_objects`.
    """
    known: dict[str, Examined] = {}
    whole = Judged()
    try:
        inventory = ocfl.inventory_at(key)
        reference = ocfl.reference_of(inventory) if inventory else ""
        for number, version in enumerate(inventory.versions if inventory else (), 1):
            checkpoint()
            whole += _judge_version(stored_version(reference, number), version.created_at, known)
    except (Conflict, Unreadable) as error:
        return whole + Judged(unjudged=((key, str(error)),))
    return whole


def _judge_version(request: StoredRequest, arrived_at: datetime, known: dict[str, Examined]) -> Judged:
    archive = request.readable_archive()
    sha256 = _signed_document(archive)
    if sha256 is None:
        return Judged()
    if sha256 not in known:
        with _opened(request.files[sha256], sha256) as document, _fetched_at_arrival(request) as fetched:
            known[sha256] = examined_again(document, arrived_at, fetched)
    found, arrival, before = known[sha256], archive.signed_document_verdict, archive.newest_verdict
    if arrival is None or before is None:  # every build has recorded a verdict for every signed document
        return Judged(1, contradictions=(Contradiction(_key(request), "document", "a verdict of its arrival", "none"),))
    changes = tuple(_changes(request, before, found.verdict))
    wrong = tuple(_contradictions(request, arrival, archive.judgements, found.verdict))
    try:
        kept = _keep(request, archive, found)
    except (Transient, OSError) as error:  # a store that can only be read is judged all the same
        return Judged(1, 0, len(changes), changes, wrong, unkept=((_key(request), str(error)),))
    return Judged(1, kept, len(changes), changes, wrong)


def _signed_document(archive: Archive) -> str | None:
    stored = (each.stored for each in archive.contents if each.role is Role.SIGNED_DOCUMENT)
    return next((each.sha256 for each in stored if each and each.size_bytes), None)


@contextmanager
def _opened(key: str, sha256: str) -> Iterator[Path]:
    """Yield a local file with the document, after comparing its digest: a damaged document deserves no judgement."""
    with _local(key) as path:
        try:
            found = digest_of_file(path)
        except FileNotFoundError:
            found = "nothing"
        except OSError as error:
            raise Unreadable(key, error.strerror or type(error).__name__) from error
        if found != sha256:
            raise Conflict("a document is damaged or missing; see `cellar verify`", key=key)
        yield path


def _fetched_at_arrival(request: StoredRequest) -> AbstractContextManager[Path | None]:
    return _local(request.keys[REVOCATION]) if REVOCATION in request.keys else nullcontext()


def _local(key: str) -> AbstractContextManager[Path]:
    return store().suited(folder=lambda place: nullcontext(place.path / key), bucket=lambda _: _copied(key))


@contextmanager
def _copied(key: str) -> Iterator[Path]:
    with spooled(store().spool_folder) as spool:
        try:
            for chunk in store().chunks(key):
                checkpoint()
                write_spooled(spool, chunk)
        except FileNotFoundError as error:
            raise Conflict("a document is missing; see `cellar verify`", key=key) from error
        yield Path(spool.name)


def _changes(request: StoredRequest, before: Verdict, now: Verdict) -> Iterator[Change]:
    texts = described(before), described(now)
    if texts[0] != texts[1]:
        yield Change(request.reference, request.version, *texts, is_worse(before, now))


def _contradictions(
    request: StoredRequest, arrival: Verdict, later: Iterable[Judgement], now: Verdict
) -> Iterator[Contradiction]:
    """Compare every kept verdict with the verdict of today: an insider may have rewritten any of them."""
    yield from contradictions(request.keys[VERDICT], arrival, now)
    for each in later:
        path = judgements.path_of(each.receipt_id, each.number)
        yield from contradictions(f"{ocfl.object_key(request.reference)}/{path}", each.verdict, now)


def _keep(request: StoredRequest, archive: Archive, found: Examined) -> bool:
    """Keep a judgement that says something else than the last, or by other trust roots. Let the rows follow.

    Return whether it was written. The lease keeps runs away, which compare the rows with the store.

    Raises:
        Transient: store or database does not take it, or a run works on the process.
    """
    reference, receipt_id = request.reference, request.receipt_id
    is_news = (archive.newest_verdict, archive.newest_roots) != (found.verdict, found.roots)
    if not is_news and not archives.shows_other_roots(reference, receipt_id, found.roots):
        return False
    with _sole_work_on(reference):
        is_written = is_news and judgements.keep(reference, receipt_id, found.verdict, found.roots, datetime.now(UTC))
        judged = stored_version(reference, request.version).readable_archive()
        rows = judged_rows(judged)
        if judged.is_locked:  # its other warnings are not known without its key
            rows = {SignedDocumentRow: rows[SignedDocumentRow]}
        archives.replace_if_current(reference, receipt_id, rows)
    return is_written


@contextmanager
def _sole_work_on(reference: str) -> Iterator[None]:
    holder = f"judge-{uuid4().hex}"
    if not leases.take([reference], holder, _LEASE_S):
        raise Transient("a run works on this archive; judge it again later")
    try:
        yield
    finally:
        leases.release([reference], holder)


def _key(request: StoredRequest) -> str:
    return f"{ocfl.object_key(request.reference)}/v{request.version}"
