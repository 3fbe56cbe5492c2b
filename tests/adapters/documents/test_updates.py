"""Updates beyond those of the corpus, as honest writers make them, each with forged neighbours."""

import re
from collections.abc import Callable

import pytest

from models.archive.verdict import LaterChange, Outcome
from tests import pdf_updates, pdfs
from tests.adapters.documents.conftest import Judge
from tests.pdf_updates import APPEARANCE, FIELD, appearance, appended, form, text_field

SEEN = b"(World Health Organisation)"
NEW, OTHER = 30, 31  # numbers of objects that no document of these tests has
EDITED = {4: pdfs.stream(b"", b"BT /F1 12 Tf 72 720 Td (I owe you 900) Tj ET")}


def signed() -> bytes:
    return pdfs.signed(pdf_updates.document(form(SEEN)))


def last(pdf: bytes, number: int) -> bytes:
    """Return the last version of an object: signing adds a widget to the page."""
    found: list[bytes] = re.findall(rb"[\r\n]%d 0 obj\s(.*?)\sendobj" % number, pdf, re.DOTALL)
    return found[-1]


def with_annotation(annotation: bytes) -> bytes:
    pdf = signed()
    page = re.sub(rb"/Annots \[([^]]*)\]", rb"/Annots [\1 %d 0 R]" % NEW, last(pdf, 3))
    drawn = pdfs.stream(b"/Type /XObject /Subtype /Form /BBox [0 0 20 20]", b"0 0 20 20 re f")
    return appended(pdf, {3: page, NEW: b"<</Type /Annot %b>>" % annotation, OTHER: drawn})


SOUND = {
    "an unused object freed": lambda: appended(
        signed(), {FIELD: text_field(SEEN, NEW), NEW: appearance(SEEN)}, free={APPEARANCE: 1}
    ),
    "a reference to nothing": lambda: appended(signed(), {FIELD: text_field(b"(%b)" % SEEN[1:-1], 8, b"/Q 99 0 R")}),
    "a new object hidden from old viewers": lambda: appended(
        signed(), {FIELD: text_field(SEEN, NEW)}, free={NEW: 65535}, hidden={NEW: appearance(SEEN)}
    ),
    "an update behind ends of lines": lambda: appended(signed() + b"\r\n\r\n", {NEW: b"<</A 1>>"}),
    "a note with an icon": lambda: with_annotation(b"/Subtype /Text /Rect [10 10 30 30] /AP <</N 31 0 R>>"),
}


@pytest.mark.parametrize("document", SOUND.values(), ids=SOUND)
def test_update_of_an_honest_writer_is_sound(judge: Judge, document: Callable[[], bytes]) -> None:
    verdict = judge(document())

    assert (verdict.outcome, verdict.reason) == (Outcome.SOUND, None)


CHANGED = {
    "an object of the page freed": lambda: appended(signed(), {}, free={4: 1}),
    "an object of the page freed as a dead object": lambda: appended(signed(), {}, free={4: 0}),
    "an object of the page freed by a placeholder": lambda: appended(signed(), {}, free={4: 65535}),
    "an object replaced for new viewers alone": lambda: appended(
        signed(), {FIELD: text_field(SEEN)}, hidden={APPEARANCE: appearance(SEEN)}
    ),
    "the page replaced for new viewers alone": lambda: appended(
        signed(), {FIELD: text_field(SEEN)}, free={4: 65535}, hidden=EDITED
    ),
    "a highlight that blackens": lambda: with_annotation(b"/Subtype /Highlight /Rect [72 720 99 732] /C [0 0 0]"),
}


@pytest.mark.parametrize("document", CHANGED.values(), ids=CHANGED)
def test_update_that_no_signature_permits_is_a_change(judge: Judge, document: Callable[[], bytes]) -> None:
    assert judge(document()).outcome is Outcome.CHANGED


def test_note_is_reported_as_an_annotation(judge: Judge) -> None:
    (signature,) = judge(with_annotation(b"/Subtype /Text /Rect [10 10 30 30]")).signatures

    assert (signature.change, signature.change_permitted) == (LaterChange.ANNOTATIONS, True)


def test_refreshed_validation_data_is_archival(judge: Judge) -> None:
    key = b"/" + b"A" * 40
    data = {1: last(signed(), 1)[:-2] + b" /DSS 40 0 R>>", 41: pdfs.stream(b"", b"x"), 42: pdfs.stream(b"", b"y")}
    first = appended(signed(), data | {40: b"<</Certs [41 0 R] /VRI 43 0 R>>", 43: b"<<%b <</Cert [41 0 R]>>>>" % key})
    second = pdfs.signed(first, "Second")

    refreshed = {40: b"<</Certs [42 0 R] /VRI 43 0 R>>", 43: b"<<%b <</Cert [42 0 R] /TU (D:2026)>>>>" % key}
    verdict = judge(appended(second, refreshed))
    assert (verdict.outcome, verdict.signatures[-1].change) == (Outcome.SOUND, LaterChange.ARCHIVAL)

    disguised = {40: b"<</Certs [4 0 R] /VRI 43 0 R>>", **EDITED}
    assert judge(appended(second, disguised)).outcome is Outcome.CHANGED


def test_comparison_that_fails_is_unreadable_and_never_sound(judge: Judge) -> None:
    pages = b"<</Type /Pages /Kids [3 0 R 3 0 R] /Count 2>>"
    verdict = judge(appended(pdfs.signed(pdf_updates.document(form(SEEN, extra={2: pages}))), {NEW: b"<</A 1>>"}))

    assert (verdict.outcome, verdict.signatures[0].change) == (Outcome.UNREADABLE, None)
    assert verdict.reason == "the document before and after a later update cannot be compared"
