"""Judges a signed document by today's trust roots."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.documents.examination import examine
from adapters.documents.trust_files import trust_digest, trust_roots
from models.archive.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Examined:
    """A verdict, and the digest of the trust roots that it was made with."""

    verdict: Verdict
    roots: str


def examined(document: Path) -> Examined:
    """Return the verdict on a document by today's trust roots. Raises as `examine` does."""
    roots = trust_digest()
    return Examined(examine(document, trust_roots(), now=datetime.now(UTC)), roots)
