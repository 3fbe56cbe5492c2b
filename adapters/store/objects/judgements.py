"""Keeps the judgements on signed documents in the logs of their object, beside the verdict of their arrival.

Each judgement is a file of its own, below its digest. It is written once and never again.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from importlib.metadata import version

import structlog
from pydantic import TypeAdapter, ValidationError

from adapters.files.store import store
from adapters.store import ocfl
from models.archive.verdict import Judgement, Verdict, verdict_as_json
from models.errors import Conflict
from models.said import Sentence

log = structlog.get_logger()

FOLDER = "verdicts"
_NAME = re.compile(rf"{ocfl.LOGS}/{FOLDER}/([0-9a-f]{{64}})/([0-9]{{6}})\.json")
_JUDGEMENT = TypeAdapter(Judgement)
_VERDICT = TypeAdapter(Verdict)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def recorded_text(verdict: Verdict, roots: str) -> str:
    """Return the text that records the verdict on a document at its arrival, and the digest of the trust roots."""
    return json.dumps(verdict_as_json(verdict) | {"roots": roots})


def recorded_verdict(text: bytes) -> tuple[Verdict, str | None]:
    """Return the verdict at arrival, and the digest of its trust roots, which earlier builds did not record.

    Raises:
        Conflict: the text is no verdict.
    """
    try:
        verdict, roots = _VERDICT.validate_json(text), json.loads(text).get("roots")
    except ValidationError as error:
        raise Conflict(Sentence.verdict_unreadable()) from error
    return verdict, roots if isinstance(roots, str) and _DIGEST.fullmatch(roots) else None


def is_judgement(path: str) -> bool:
    """Return whether a path in an object is that of a judgement."""
    return _NAME.fullmatch(path) is not None


def path_of(receipt_id: str, number: int) -> str:
    """Return the path, in its object, of a judgement on the version that a receipt made."""
    return f"{ocfl.LOGS}/{FOLDER}/{receipt_id}/{number:06}.json"


def numbers_of(paths: Iterable[str]) -> dict[str, set[int]]:
    """Return the numbers of the judgements among the paths in an object, by the receipt of their version."""
    found: dict[str, set[int]] = {}
    for name in filter(None, map(_NAME.fullmatch, paths)):
        found.setdefault(name[1], set()).add(int(name[2]))
    return found


def kept_judgements(reference: str, receipt_id: str) -> tuple[Judgement, ...]:
    """Return the judgements on the version that a receipt made, oldest first. A damaged judgement is left out."""
    return tuple(_whole(ocfl.object_key(reference), receipt_id, _numbers(reference, receipt_id)))


def keep(reference: str, receipt_id: str, verdict: Verdict, roots: str, at: datetime) -> bool:
    """Write the next judgement on the version that a receipt made. Return whether this call has written it: another
    process may have judged at the same time.

    Raises:
        Transient: the store does not take it now.
    """
    number = max(_numbers(reference, receipt_id), default=0) + 1
    programs = version("cellosign-cellar"), version("pyhanko")
    text = _JUDGEMENT.dump_json(Judgement(receipt_id, number, at, roots, *programs, verdict))
    key = f"{ocfl.object_key(reference)}/{path_of(receipt_id, number)}"
    return store().keep_first(hashlib.sha256(text).hexdigest().encode() + b"\n" + text, key)


def read(object_key: str, path: str) -> Judgement | None:
    """Return the judgement at a path of an object, None if there is none.

    Raises:
        Conflict: the judgement is damaged, or belongs to another version.
    """
    key, name = f"{object_key}/{path}", _NAME.fullmatch(path)
    found = store().found_bytes(key)
    if found is None or name is None:
        return None
    digest, _, text = found.partition(b"\n")
    try:
        judgement = _JUDGEMENT.validate_json(text)
    except ValidationError:
        judgement = None
    is_whole = hashlib.sha256(text).hexdigest().encode() == digest
    if not judgement or not is_whole or not _is_of(judgement, name[1], int(name[2])):
        raise Conflict(Sentence.judgement_damaged(), key=key)
    return judgement


def _is_of(judgement: Judgement, receipt_id: str, number: int) -> bool:
    """Return whether a judgement belongs to its key. The digest does not prove it, since it is copied with the text."""
    belongs = (judgement.receipt_id, judgement.number) == (receipt_id, number)
    return belongs and _DIGEST.fullmatch(judgement.roots) is not None


def _numbers(reference: str, receipt_id: str) -> Collection[int]:
    key = ocfl.object_key(reference)
    folder = f"{key}/{ocfl.LOGS}/{FOLDER}/{receipt_id}"
    paths = (path.removeprefix(f"{key}/") for path, _ in store().listed(folder))
    return numbers_of(paths).get(receipt_id, set())


def _whole(object_key: str, receipt_id: str, numbers: Collection[int]) -> Iterator[Judgement]:
    for number in sorted(numbers):
        try:
            judgement = read(object_key, path_of(receipt_id, number))
        except Conflict:
            log.error("a judgement is damaged; see `cellar verify`", receipt_id=receipt_id, number=number)
            continue
        if judgement:
            yield judgement
