"""Judges the signatures of a PDF. It runs in a process with limits, `pdf_examiner`, since a PDF may be hostile.

pyHanko's own overall result is not enough. It counts the bytes of a signature's range without checking where they lie,
never sees bytes that belong to no revision, and drops signatures of unknown kinds. Its result for a signature ignores
the time stamps in the signature.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pyhanko.pdf_utils.generic import DictionaryObject

from adapters.documents.pdf.document import (
    DAMAGES,
    Document,
    PasswordNeeded,
    earlier_signature_values,
    filled_fields,
    has_stray_signature,
    opened,
    signature_values,
)
from adapters.documents.pdf.embedded_signature import signature_in
from adapters.documents.pdf.fields import field_changes
from adapters.documents.pdf.stamps import covered
from adapters.documents.signature_verdict import judged
from adapters.documents.trust.evidence import NO_EVIDENCE, Evidence, in_document
from adapters.documents.trust.names import read_names_of_any_writer
from adapters.documents.trust.trust_lists import Listed
from models.archive.verdict import UNREADABLE, Coverage, Outcome, SignatureVerdict, Verdict, Wanted
from models.said import Sentence, because, said_of

_GOOD = {Outcome.SOUND, Outcome.FIELDS_CHANGED, Outcome.COVERED, Outcome.UNSIGNED}


async def judge(
    path: Path, roots: Sequence[Any], listed: Sequence[Listed], now: datetime, fetched: Evidence = NO_EVIDENCE
) -> tuple[Verdict, Sequence[Wanted]]:
    """Return the verdict on a PDF, and what could be fetched to complete it.

    A malformed file, at which pyHanko raises any exception, cannot be judged.
    """
    read_names_of_any_writer()
    with path.open("rb") as file:
        try:
            document = Document(opened(file), file, os.fstat(file.fileno()).st_size, roots, now)
            document = replace(document, evidence=in_document(document.reader) + fetched, listed=listed)
            return await _verdict(document), document.wanted
        except PasswordNeeded:
            return replace(UNREADABLE, **because(reason=Sentence.password_needed())), ()
        except (MemoryError, RecursionError):
            raise
        except Exception:  # noqa: BLE001 -- a malformed file may make pyHanko raise any exception
            return replace(UNREADABLE, **because(reason=Sentence.no_pdf())), ()


async def _verdict(document: Document) -> Verdict:
    fields = list(filled_fields(document.reader))
    signatures = [await judged(document, name, field) for name, field in fields]
    here, earlier = signature_values(document.reader), earlier_signature_values(document.reader)
    verdict = _with_observations(document, fields, _summary(signatures, is_one_gone=bool(earlier - here)))
    known = {value for _, value in here | earlier}
    if verdict.outcome in _GOOD and has_stray_signature(document, known):
        return replace(verdict, outcome=Outcome.UNREADABLE, **because(reason=Sentence.stray_signature()))
    return verdict


def _with_observations(document: Document, fields: Sequence[tuple[str, DictionaryObject]], verdict: Verdict) -> Verdict:
    """Return the verdict with the fields that were filled again, and the words that stamps cover. A field of a broken
    signature shows no signer.
    """
    signatures = []
    for name, field in fields:
        with suppress(*DAMAGES):
            signatures.append(signature_in(document, field, name))
    try:
        changes = field_changes(document, signatures)
        words = covered(document, signatures) if verdict.outcome is Outcome.SOUND else ()
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 -- an update may be crafted to break the comparison
        if verdict.outcome in _GOOD:
            return replace(verdict, outcome=Outcome.UNREADABLE, **because(reason=Sentence.fields_not_compared()))
        return verdict
    outcome = verdict.outcome
    if outcome is Outcome.SOUND and (changes or words):
        outcome = Outcome.FIELDS_CHANGED if changes else Outcome.COVERED
    return replace(verdict, outcome=outcome, field_changes=changes, covered=words)


def _summary(signatures: Sequence[SignatureVerdict], *, is_one_gone: bool) -> Verdict:
    people = [one for one in signatures if not one.is_document_time_stamp] or signatures
    changed = is_one_gone or any(one.change_permitted is False for one in signatures)
    outcome = _outcome(signatures, changed=changed)
    reason = next((said_of(one.values["reason"]) for one in signatures if one.reason), None)
    return Verdict(
        outcome=outcome,
        intact=_all(one.intact for one in signatures),
        valid=_all(one.valid for one in signatures),
        locked=any(one.locks for one in signatures),
        covers_whole_file=any(one.coverage is Coverage.FILE for one in signatures),
        changed_after_signing=changed,
        trusted=_all(one.trusted for one in people),
        signatures=tuple(signatures),
        **because(reason=reason if outcome is Outcome.UNREADABLE else None),
    )


def _outcome(signatures: Sequence[SignatureVerdict], *, changed: bool) -> Outcome:
    if any(one.intact is False or one.valid is False for one in signatures):
        return Outcome.BROKEN
    if changed:
        return Outcome.CHANGED
    if not signatures:
        return Outcome.UNSIGNED
    is_sound = all(one.intact and one.valid and one.change_permitted for one in signatures)
    return Outcome.SOUND if is_sound else Outcome.UNREADABLE


def _all(answers: Iterable[bool | None]) -> bool | None:
    """Return False if any answer is False, True if all are True, else None."""
    known = set(answers)
    if False in known:
        return False
    return True if known == {True} else None
