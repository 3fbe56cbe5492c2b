# mypy: disable-error-code="no-untyped-call"
"""Forgeries that prepare a document before it is signed, or that misuse the changes a certification permits.

Sources: Mainka, Mladenov, Rohlmann: Shadow Attacks (2021); Rohlmann, Mladenov, Mainka, Schwenk: Breaking the
Specification: PDF Certification (2021), with evil annotations (EAA) and sneaky signatures (SSA).
"""

from collections.abc import Callable, Mapping
from functools import partial

from pyhanko.pdf_utils.generic import ArrayObject, FloatObject, TextStringObject
from pyhanko.sign.fields import SigFieldSpec, append_signature_field

from tests.adapters.documents.corpus import forms, layouts
from tests.adapters.documents.corpus.edits import annotated, appearance, filled
from tests.adapters.documents.corpus.signatures import signed
from tests.adapters.documents.corpus.writing import Writer, appended, field, names, page
from tests.pdfs import updated

_OVER_TEXT = (60, 690, 400, 740)
_COVER = b"1 g 0 0 340 50 re f 0 g BT /Helv 12 Tf 12 30 Td (I owe you 900) Tj ET"
_PICTURE = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]"


def hiding_form() -> bytes:
    """Return the form with a white picture over its text, which a later update takes away (hide)."""
    objects = forms.replaced(forms.form(), forms.PAGE, b"/Resources<<", b"/Resources<</XObject<</Cover 15 0 R>>")
    shown = forms.PAGE_TEXT.replace(b"100", b"900") + b" /Cover Do BT /Helv 12 Tf 72 720 Td (I owe you 100) Tj ET"
    return layouts.table(
        {**objects, forms.CONTENT: forms.stream(b"", shown), 15: forms.stream(_PICTURE, b"1 g 60 690 340 50 re f")}
    )


def cover_removed(pdf: bytes) -> bytes:
    return appended(pdf, {15: forms.stream(_PICTURE, b"")})


def cover_freed(pdf: bytes) -> bytes:
    """Free the picture that covers the text."""
    return appended(pdf, {}, freed={15: 1})


def font_replaced(pdf: bytes) -> bytes:
    """Replace the font, so that the digits of the page look otherwise (replace)."""
    widths = b"/FirstChar 49/LastChar 49/Widths[500]"
    encoding = b"/Encoding<</Type/Encoding/Differences[49/nine]>>"
    return appended(pdf, {forms.FONT: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica%b%b>>" % (widths, encoding)})


def overlay_form() -> bytes:
    """Return the form with a text field of which the viewer shows another text while the cursor is not in it (replace).

    The value says 900, the drawing that the signer sees says 100.
    """
    objects = forms.replaced(forms.form(), forms.AMOUNT, b"/V(100)", b"/V(900)")
    return layouts.table(objects)


def two_faced_form() -> bytes:
    """Return the form with a second page and content that nothing refers to yet (hide and replace)."""
    return layouts.table(
        {
            **forms.form(),
            15: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 16 0 R"
            b"/Resources<</Font<</Helv %d 0 R>>>>>>" % forms.FONT,
            16: forms.stream(b"", forms.PAGE_TEXT.replace(b"100", b"900")),
        }
    )


def face_changed(pdf: bytes) -> bytes:
    """Let the list of pages name the other page, which the signer has signed without seeing it."""
    return appended(pdf, {forms.PAGES: b"<</Type/Pages/Kids[15 0 R]/Count 1>>"})


def face_changed_by_table(pdf: bytes) -> bytes:
    """Let the table lead from Remarks to the middle of another object's number. No object is written."""
    at = pdf.index(b"16 0 obj") + 1  # reads as 6 0 obj
    base = appended(pdf, {})
    before, _, trailer = base.rpartition(b"trailer\n")
    return before + b"%d 1\n%010d 00000 n \ntrailer\n" % (forms.REMARKS, at) + trailer


def _reserved_form() -> bytes:
    """Return the form with references to objects that do not exist, for an update to fill in."""
    objects = forms.replaced(forms.form(), forms.PAGE, b"/Contents 5 0 R", b"/Contents[5 0 R 90 0 R]")
    return layouts.table(objects)


def reserved_filled_in(pdf: bytes) -> bytes:
    return appended(pdf, {90: forms.stream(b"", b"q 1 g 60 690 340 50 re f Q BT /Helv 12 Tf 72 720 Td (900) Tj ET")})


def stamped_over(pdf: bytes, kind: str = "FreeText", **more: object) -> bytes:
    """Add an annotation that covers the text of the page (EAA)."""
    return annotated(pdf, kind, _OVER_TEXT, _COVER, **more)


def visible_signature_over(pdf: bytes) -> bytes:
    """Sign in a new visible field that covers the text (SSA)."""

    def draw(writer: Writer) -> None:
        append_signature_field(writer, SigFieldSpec("Second", box=_OVER_TEXT))
        field(writer, "Second")["/AP"] = names(N=appearance(writer, _COVER, (340, 50)))

    return signed(updated(pdf, draw), "Second")


def empty_signature_field_over(pdf: bytes) -> bytes:
    """Add an empty signature field whose drawing covers the text."""

    def draw(writer: Writer) -> None:
        append_signature_field(writer, SigFieldSpec("Second", box=_OVER_TEXT))
        field(writer, "Second")["/AP"] = names(N=appearance(writer, _COVER, (340, 50)))

    return updated(pdf, draw)


def appearance_over(pdf: bytes) -> bytes:
    """Fill Remarks for the first time, and move its widget over the text of the page."""

    def fill(writer: Writer) -> None:
        found = field(writer, "Remarks")
        found["/V"] = TextStringObject("Paid")
        found["/Rect"] = ArrayObject(names(R=list(_OVER_TEXT))["/R"])
        found["/AP"] = names(N=appearance(writer, _COVER, (340, 50)))

    return updated(pdf, fill)


def signature_drawing_replaced(pdf: bytes) -> bytes:
    """Draw the signature that is there anew."""

    def draw(writer: Writer) -> None:
        field(writer, "First")["/AP"] = names(
            N=appearance(writer, b"BT /Helv 9 Tf (Signed by another) Tj ET", (200, 40))
        )

    return updated(pdf, draw)


def field_moved(pdf: bytes) -> bytes:
    def move(writer: Writer) -> None:
        field(writer, "Amount")["/Rect"] = names(R=[72, 10, 272, 30])["/R"]

    return updated(pdf, move)


def field_hidden(pdf: bytes, flags: int = 2) -> bytes:
    def hide(writer: Writer) -> None:
        field(writer, "Amount")["/F"] = names(F=flags)["/F"]

    return updated(pdf, hide)


def field_removed(pdf: bytes) -> bytes:
    def remove(writer: Writer) -> None:
        form = writer.root["/AcroForm"]
        form["/Fields"] = ArrayObject(each for each in form["/Fields"] if each.get_object()["/T"] != "Amount")
        writer.update_container(form)

    return updated(pdf, remove)


def page_turned(pdf: bytes, key: str = "CropBox", box: tuple[float, ...] = (0, 0, 595, 700)) -> bytes:
    def turn(writer: Writer) -> None:
        page(writer).update(names(**{key: [FloatObject(side) for side in box]}))

    return updated(pdf, turn)


def annotation_removed(pdf: bytes) -> bytes:
    def remove(writer: Writer) -> None:
        here = page(writer)
        here["/Annots"] = ArrayObject(list(here["/Annots"])[:-1])

    return updated(pdf, remove)


def font_added(pdf: bytes) -> bytes:
    """Give the page another font under the name of its own."""

    def add(writer: Writer) -> None:
        page(writer)["/Resources"] = names(
            Font=names(Helv=writer.add_object(names(Type="Font", Subtype="Type1", BaseFont="Symbol")))
        )

    return updated(pdf, add)


def calculated(pdf: bytes) -> bytes:
    def add(writer: Writer) -> None:
        form = writer.root["/AcroForm"]
        form["/XFA"] = TextStringObject("<xdp:xdp/>")
        writer.update_container(form)

    return updated(pdf, add)


def layers_added(pdf: bytes) -> bytes:
    """Add layers (optional content), which can hide parts of a page."""

    def add(writer: Writer) -> None:
        group = writer.add_object(names(Type="OCG"))
        writer.root["/OCProperties"] = names(OCGs=[group], D=names(OFF=[group]))
        writer.update_root()

    return updated(pdf, add)


DOCUMENTS: Mapping[str, Callable[[], bytes]] = {
    "covered form": hiding_form,
    "two-faced form": two_faced_form,
    "contradictory form": overlay_form,
    "reserving form": _reserved_form,
    "tiny form": lambda: layouts.table(
        forms.replaced(forms.form(), forms.PAGE, b"[0 0 595 842]", b"[0 0 .0595 .0842]/UserUnit 10000")
    ),
}

STEPS: Mapping[str, Callable[[bytes], bytes]] = {
    "cover removed": cover_removed,
    "cover freed": cover_freed,
    "font replaced": font_replaced,
    "other font under the same name": font_added,
    "page exchanged": face_changed,
    "page exchanged by the table alone": face_changed_by_table,
    "reserved object written": reserved_filled_in,
    "text covered by a free text": stamped_over,
    "text covered by a stamp": partial(stamped_over, kind="Stamp"),
    "text covered by a square": partial(stamped_over, kind="Square"),
    "text covered by a redaction": partial(stamped_over, kind="Redact"),
    "text covered by a note": partial(stamped_over, kind="Text"),
    "text covered by a highlight": partial(
        stamped_over, kind="Highlight", QuadPoints=[60, 740, 400, 740, 60, 690, 400, 690]
    ),
    "text covered by ink": partial(stamped_over, kind="Ink"),
    "text covered by a link": partial(stamped_over, kind="Link"),
    "text covered by a signature": visible_signature_over,
    "text covered by an empty signature field": empty_signature_field_over,
    "text covered by Remarks": appearance_over,
    "drawing of the signature replaced": signature_drawing_replaced,
    "Amount moved": field_moved,
    "Amount hidden": field_hidden,
    "Amount not printed": partial(field_hidden, flags=0),
    "Amount removed": field_removed,
    "page cropped": page_turned,
    "page cropped by a hundredth of a point": partial(page_turned, key="MediaBox", box=(0, 0, 0.0595, 0.0745)),
    "annotation removed": annotation_removed,
    "XFA added": calculated,
    "layers added": layers_added,
    "Amount overdrawn on Remarks": partial(filled, text="Paid", shown="I owe you 900"),
}
