"""Second signatures as iText, Acrobat and others write them, each with a forged neighbour."""

import re
from collections.abc import Mapping

import pytest

from models.archive.verdict import Outcome
from tests.adapters.documents.conftest import Judge
from tests.adapters.documents.corpus import forms, layouts, writers
from tests.adapters.documents.corpus.forms import APPROVAL, PAGE, PAGES, Objects
from tests.adapters.documents.corpus.signatures import signed
from tests.adapters.documents.corpus.writing import appended, size

_KIND = writers.Kind()
_NEW = 60  # no document of these tests has this object
_SHOWN = forms.shown(b"Signed by Signer ec")
_WITHOUT_PAGE = forms.replaced(forms.form(), APPROVAL, b"/P 4 0 R", b"")
_INHERITING = {
    **forms.replaced(forms.form(), PAGE, b"/MediaBox[0 0 595 842]", b""),
    PAGES: b"<</Type/Pages/MediaBox[0 0 595 842]/Kids[%d 0 R]/Count 1>>" % PAGE,
}
_WITH_KID = {
    **forms.replaced(forms.form(), PAGE, b"%d 0 R]" % APPROVAL, b"15 0 R]"),
    APPROVAL: b"<</FT/Sig/T(Approval)/Kids[15 0 R]>>",
    15: b"<</Type/Annot/Subtype/Widget/Parent %d 0 R/F 4/Rect[72 100 272 120]>>" % APPROVAL,
}


def signed_again(base: Objects, entries: bytes = b"", more: Mapping[int, bytes] | None = None) -> bytes:
    """Sign, and then sign in the field Approval by an update that adds entries to it."""
    pdf = signed(layouts.table(base))
    field = re.findall(rb"[\r\n]%d 0 obj\s*(<<.*?>>)\s*endobj" % APPROVAL, pdf, re.DOTALL)[-1][:-2]
    number = size(pdf)
    objects = {
        APPROVAL: field + b"/V %d 0 R%b>>" % (number, entries),
        number: writers.with_signature(base, _KIND)[max(base) + 1],
    }
    return writers.sealed(appended(pdf, objects | dict(more or {})), _KIND)


def page_with(base: Objects, box: bytes) -> Mapping[int, bytes]:
    pdf = signed(layouts.table(base))
    page = re.findall(rb"[\r\n]%d 0 obj\s*(<<.*?>>)\s*endobj" % PAGE, pdf, re.DOTALL)[-1]
    return {PAGE: page[:-2] + b"/MediaBox%b>>" % box}


def kid_at(box: bytes, drawing: bytes) -> Mapping[int, bytes]:
    kid = _WITH_KID[15].replace(b"[72 100 272 120]", box)[:-2]
    return {15: kid + b"/AP<</N %d 0 R>>>>" % _NEW, _NEW: drawing}


def replaced_below_parent() -> bytes:
    """Draw the page by a form that has the name /Parent, and replace the form by an update of validation data."""
    drawn = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</Font<</Helv %d 0 R>>>>" % forms.FONT
    base = forms.replaced(forms.form(), PAGE, b"/Resources<<", b"/Resources<</XObject<</Parent 15 0 R>>")
    base = {**base, forms.CONTENT: forms.stream(b"", b"/Parent Do"), 15: forms.stream(drawn, forms.PAGE_TEXT)}
    pdf = signed(layouts.table(base))
    catalogue = re.findall(rb"[\r\n]%d 0 obj\s*(<<.*?>>)\s*endobj" % forms.CATALOGUE, pdf, re.DOTALL)[-1]
    other = forms.stream(drawn, forms.PAGE_TEXT.replace(b"100", b"900"))
    return appended(pdf, {forms.CATALOGUE: catalogue[:-2] + b"/DSS<</Certs[15 0 R]>>>>", 15: other})


SOUND = {
    "the page is named": lambda: signed_again(_WITHOUT_PAGE, b"/P 4 0 R/MK<<>>"),
    "the document is locked": lambda: signed_again(
        forms.form(), b"/Lock %d 0 R" % _NEW, {_NEW: b"<</Type/SigFieldLock/Action/All/P 1>>"}
    ),
    "the widget is a kid": lambda: signed_again(_WITH_KID, more=kid_at(b"[72 100 272 120]", _SHOWN)),
    "the page repeats what it inherits": lambda: signed_again(
        _INHERITING, more=page_with(_INHERITING, b"[0 0 595 842]")
    ),
    "the size of the page is rounded": lambda: signed_again(
        _INHERITING, more=page_with(_INHERITING, b"[0 0 595.003 841.996]")
    ),
}
CHANGED = {
    "a drawing by the name of a parent is replaced": replaced_below_parent,
    "the widget moves over the text": lambda: signed_again(
        _WITH_KID,
        more=kid_at(b"[60 690 400 740]", forms.stream(b"/Subtype/Form/BBox[0 0 340 50]", b"1 g 0 0 340 50 re f")),
    ),
    "the page becomes smaller": lambda: signed_again(_INHERITING, more=page_with(_INHERITING, b"[0 0 595 700]")),
}


@pytest.mark.parametrize(
    ("name", "outcome"), [*((name, Outcome.SOUND) for name in SOUND), *((name, Outcome.CHANGED) for name in CHANGED)]
)
def test_second_signature_of_another_writer_permits_what_signing_needs_and_no_more(
    judge: Judge, name: str, outcome: Outcome
) -> None:
    assert judge((SOUND | CHANGED)[name]()).outcome is outcome
