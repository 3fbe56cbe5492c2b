"""Documents as the scanner leaves them, for the tests of their readers."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any

from domain.archive.reading import read_archive
from domain.body.media_type import sniffed
from domain.body.scan import Scanner
from models.archive.archive import Archive
from models.archive.content import StoredContent
from models.payments import PaymentTerms, PaymentType, Standing
from tests.samples import sample_document

TERMS = PaymentTerms(
    unit="minor",
    types={
        "charge": PaymentType(Standing.CHARGED, needs_authorisation=True),
        "verify_credit_card": PaymentType(Standing.VERIFIED, needs_authorisation=False),
        "hold": PaymentType(Standing.HELD, needs_authorisation=False),
    },
    results={"result": frozenset({"000"})},
    zone=UTC,
)
IN_MAJOR_UNITS = replace(TERMS, unit="major")


def fingerprint(text: str) -> str:
    """Return a stand-in for the keyed fingerprint of a secret."""
    return hashlib.sha256(text.encode()).hexdigest()


class _Digests:
    """A sink that keeps the digests that a store would get."""

    def __init__(self) -> None:
        self.stored: list[StoredContent] = []

    def begin(self, index: int) -> None:
        self._index, self._data = index, b""

    def text(self, piece: memoryview) -> None:
        """Ignore the spelling."""

    def write(self, data: bytes) -> None:
        self._data += data

    def end(self, *, is_plain: bool) -> None:
        sha256 = hashlib.sha256(self._data).hexdigest()
        self.stored.append(StoredContent(self._index, sha256, len(self._data), sniffed(self._data)))


def read_body(body: bytes, zone: tzinfo = UTC) -> Archive:
    """Scan and read a body as receiver and flow do."""
    sink = _Digests()
    scanner = Scanner(sink)
    scanner.feed(body)
    return read_archive(scanner.close().document, sink.stored, zone, TERMS.results)


def read(document: dict[str, Any], zone: tzinfo = UTC) -> Archive:
    return read_body(json.dumps(document).encode(), zone)


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the sample with another value at `path`, as in `changed("sessions.0.author", None)`."""
    document = sample_document()
    *above, last = path.split(".")
    target: Any = document
    for step in above:
        target = target[int(step) if isinstance(target, list) else step]
    target[int(last) if isinstance(target, list) else last] = value
    return document
