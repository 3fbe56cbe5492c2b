"""Judges a signed document by the trust roots and trust lists of today, at its arrival or again later."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from adapters.documents.examination import examination, examine
from adapters.documents.trust_files import trust_digest, trust_lists, trust_roots
from adapters.files.spool import translated
from adapters.peers.addresses import is_public
from adapters.peers.revocation_servers import fetched
from adapters.settings.settings import settings
from models.archive.verdict import Outcome, Verdict, Wanted

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Examined:
    """A verdict, and the digest of the trust roots and lists that it was made with."""

    verdict: Verdict
    roots: str


def examined(document: Path, kept: Path, *, may_call: Callable[[str], bool] = is_public) -> Examined:
    """Return the verdict on a document that arrives now, by the OCSP answers and CRLs that it lacks, if these may be
    fetched.

    Args:
        kept: The file that receives what was fetched, so that a later judgement has it too. Without any answer it is
            not written.
        may_call: Whether an address may be called.

    Raises:
        Transient: the examination or the disk does not work now.
    """
    digest, roots, lists, now = trust_digest(), trust_roots(), trust_lists(), datetime.now(UTC)
    found = examination(document, roots, lists=lists, now=now)
    if not found.wanted or not settings().fetch_revocation:
        return Examined(found.verdict, digest)
    answers = asyncio.run(fetched(found.wanted, may_call=may_call))
    if not answers:
        return Examined(found.verdict, digest)
    with translated():
        kept.write_text(_text(answers, now))
    verdict = examine(document, roots, lists=lists, now=now, fetched=kept)
    if verdict.outcome is Outcome.UNREADABLE and found.verdict.outcome is not Outcome.UNREADABLE:
        log.warning("revocation data too costly", answers=len(answers))  # a server must not make a document unreadable
        with translated():
            kept.unlink()
        return Examined(found.verdict, digest)
    return Examined(verdict, digest)


def examined_again(document: Path, arrived_at: datetime, kept: Path | None) -> Examined:
    """Return the verdict on a document that arrived at a time: certificates may have expired since, and then were
    valid. Raises as `examine` does.

    Args:
        kept: The file of OCSP answers and CRLs that were fetched when the document arrived.
    """
    digest = trust_digest()
    return Examined(examine(document, trust_roots(), lists=trust_lists(), now=arrived_at, fetched=kept), digest)


def _text(answers: Mapping[Wanted, bytes], at: datetime) -> str:
    encoded = [(bool(wanted.request), base64.b64encode(answer).decode()) for wanted, answer in answers.items()]
    ocsp = [answer for is_ocsp, answer in encoded if is_ocsp]
    crl = [answer for is_ocsp, answer in encoded if not is_ocsp]
    return json.dumps({"fetched_at": at.isoformat(), "ocsp": ocsp, "crl": crl})
