"""Judges a signed document by the trust roots and trust lists of today."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters.documents.examination import examine
from adapters.documents.trust_files import trust_digest, trust_lists, trust_roots
from models.archive.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Examined:
    """A verdict, and the digest of the trust roots and lists that it was made with."""

    verdict: Verdict
    roots: str


def examined(document: Path, arrived_at: datetime) -> Examined:
    """Return the verdict on a document that arrived at a time: certificates may have expired since, and then were
    valid. Raises as `examine` does.
    """
    roots = trust_digest()
    return Examined(examine(document, trust_roots(), lists=trust_lists(), now=arrived_at), roots)
