# mypy: disable-error-code="no-untyped-call"
"""Changes that people and programs make to a document after somebody has signed it, by honest means."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, BooleanObject, NameObject, StreamObject, TextStringObject
from pyhanko.pdf_utils.writer import PageObject

from adapters.documents.pdf.document import entry
from tests.adapters.documents.corpus.forms import XMP
from tests.adapters.documents.corpus.writing import Writer, field, names, page
from tests.pdfs import updated


def appearance(writer: Writer, drawing: bytes, box: tuple[int, int], resources: Any = None) -> Any:
    """Return a reference to a new form XObject."""
    entries = names(Type="XObject", Subtype="Form", BBox=[0, 0, *box], Resources=resources or _helvetica(writer))
    return writer.add_object(StreamObject(dict(entries), stream_data=drawing))


def _helvetica(writer: Writer) -> Any:
    form: Any = entry(writer.root, "/AcroForm") or {}
    fonts: Any = form["/DR"]["/Font"] if "/DR" in form else {}
    helvetica = fonts.raw_get("/Helv") if "/Helv" in fonts else writer.add_object(font_named("Helvetica"))
    return names(Font=names(Helv=helvetica))


def font_named(name: str) -> Any:
    return names(Type="Font", Subtype="Type1", BaseFont=name)


def filled(pdf: bytes, name: str = "Remarks", text: str = "Paid", *, shown: str | None = None) -> bytes:
    """Fill a text field, and draw its text. `shown` draws another text."""

    def fill(writer: Writer) -> None:
        found = field(writer, name)
        found["/V"] = TextStringObject(text)
        drawing = f"/Tx BMC q BT /Helv 12 Tf 2 5 Td ({text if shown is None else shown}) Tj ET Q EMC"
        found["/AP"] = names(N=appearance(writer, drawing.encode(), (200, 20)))

    return updated(pdf, fill)


def filled_without_appearance(pdf: bytes, name: str = "Remarks", text: str = "Paid") -> bytes:
    """Fill a text field, and leave its drawing to the viewer."""

    def fill(writer: Writer) -> None:
        found = field(writer, name)
        found["/V"] = TextStringObject(text)
        if "/AP" in found:
            del found["/AP"]
        writer.root["/AcroForm"]["/NeedAppearances"] = BooleanObject(True)
        writer.update_container(writer.root["/AcroForm"])

    return updated(pdf, fill)


def value_changed_only(pdf: bytes) -> bytes:
    """Change the value of Amount, and leave its drawing as it was."""

    def fill(writer: Writer) -> None:
        field(writer, "Amount")["/V"] = TextStringObject("900")

    return updated(pdf, fill)


def appearance_changed_only(pdf: bytes, name: str = "Amount") -> bytes:
    """Draw another amount, and leave the value as it was."""

    def draw(writer: Writer) -> None:
        drawing = b"/Tx BMC q BT /Helv 12 Tf 2 5 Td (900) Tj ET Q EMC"
        field(writer, name)["/AP"] = names(N=appearance(writer, drawing, (200, 20)))

    return updated(pdf, draw)


def ticked(pdf: bytes) -> bytes:
    def tick(writer: Writer) -> None:
        box = field(writer, "Agreed")
        box["/V"] = box["/AS"] = NameObject("/Yes")

    return updated(pdf, tick)


def unticked(pdf: bytes) -> bytes:
    def untick(writer: Writer) -> None:
        box = field(writer, "Agreed")
        box["/V"] = box["/AS"] = NameObject("/Off")

    return updated(pdf, untick)


def chosen(pdf: bytes) -> bytes:
    """Choose another bank from the list."""

    def choose(writer: Writer) -> None:
        bank = field(writer, "Bank")
        bank["/V"] = TextStringObject("South")
        bank["/AP"] = names(N=appearance(writer, b"/Tx BMC BT /Helv 12 Tf 2 5 Td (South) Tj ET EMC", (200, 20)))

    return updated(pdf, choose)


def annotated(
    pdf: bytes, kind: str, box: tuple[int, int, int, int], drawing: bytes | None = None, **more: Any
) -> bytes:
    """Add an annotation to the page."""

    def add(writer: Writer) -> None:
        entries = names(Type="Annot", Subtype=kind, Rect=list(box), F=4, Contents=TextStringObject("a comment"), **more)
        if drawing is not None:
            entries["/AP"] = names(N=appearance(writer, drawing, (box[2] - box[0], box[3] - box[1])))
        _add_annotation(writer, writer.add_object(entries))

    return updated(pdf, add)


def _add_annotation(writer: Writer, annotation: Any) -> None:
    here = page(writer)
    here["/Annots"] = ArrayObject([*(entry(here, "/Annots") or ()), annotation])


def with_content(pdf: bytes, drawing: bytes = b"BT /Helv 12 Tf 72 720 Td (I owe you 900) Tj ET") -> bytes:
    """Replace the content of the page."""

    def edit(writer: Writer) -> None:
        page(writer)["/Contents"] = writer.add_object(StreamObject(stream_data=drawing))

    return updated(pdf, edit)


def with_content_as_validation_data(pdf: bytes) -> bytes:
    """Replace the content of the page in its place, and name it as a list of certificates."""

    def edit(writer: Writer) -> None:
        held = page(writer).raw_get("/Contents")
        writer.objects.clear()  # the page itself stays as it is
        held.get_object()._data = b"BT /Helv 12 Tf 72 720 Td (I owe you 900) Tj ET"
        held.get_object()._encoded_data = None
        writer.mark_update(held)
        store = names()
        store["/Certs"] = held
        writer.root["/DSS"] = writer.add_object(store)
        writer.update_root()

    return updated(pdf, edit)


def with_page(pdf: bytes) -> bytes:
    def add(writer: Writer) -> None:
        contents = writer.add_object(StreamObject(stream_data=b"BT /Helv 12 Tf 72 720 Td (And 900 more) Tj ET"))
        resources = names(Font=names(Helv=font_named("Helvetica")))
        writer.insert_page(PageObject(contents, (0, 0, 595, 842), resources))

    return updated(pdf, add)


def with_field(pdf: bytes) -> bytes:
    """Add a text field, filled, to the form and to the page."""

    def add(writer: Writer) -> None:
        entries = names(Type="Annot", Subtype="Widget", FT="Tx", F=4, Rect=[72, 440, 272, 460])
        entries["/T"], entries["/V"] = TextStringObject("Penalty"), TextStringObject("900")
        added = writer.add_object(entries)
        form = writer.root["/AcroForm"]
        form["/Fields"].append(added)
        writer.update_container(form["/Fields"])
        writer.update_container(form)
        _add_annotation(writer, added)

    return updated(pdf, add)


def with_catalogue_entry(pdf: bytes, key: str, value: Callable[[Writer], Any]) -> bytes:
    def add(writer: Writer) -> None:
        writer.root[f"/{key}"] = value(writer)
        writer.update_root()

    return updated(pdf, add)


def _script(writer: Writer) -> Any:
    return writer.add_object(names(S="JavaScript", JS=TextStringObject("this.getField('Amount').value = 900;")))


def with_scripted_field(pdf: bytes) -> bytes:
    """Let a script calculate the amount when the page is opened."""

    def add(writer: Writer) -> None:
        field(writer, "Amount")["/AA"] = names(K=_script(writer))

    return updated(pdf, add)


def with_page_action(pdf: bytes) -> bytes:
    def add(writer: Writer) -> None:
        page(writer)["/AA"] = names(O=_script(writer))

    return updated(pdf, add)


def with_information(pdf: bytes) -> bytes:
    """Change the document information, as most programs do when they save."""

    def add(writer: Writer) -> None:
        entries = names()
        entries["/Producer"] = TextStringObject("Another program")
        writer.set_info(writer.add_object(entries))

    return updated(pdf, add)


def _xmp(writer: Writer) -> Any:
    return writer.add_object(
        StreamObject(dict(names(Type="Metadata", Subtype="XML")), stream_data=XMP % b"Another program")
    )


def _with_comments(pdf: bytes, change: Callable[[list[Any]], object], kind: str = "") -> bytes:
    """Change the list of annotations that are no fields, or of one kind."""

    def edit(writer: Writer) -> None:
        here = page(writer)
        held = [(each, entry(each.get_object(), "/Subtype")) for each in here["/Annots"]]
        chosen = [each for each, its in held if (its == f"/{kind}" if kind else its != "/Widget")]
        others = [each for each, _ in held if each not in chosen]
        change(chosen)
        for each in chosen:
            writer.mark_update(each)
        here["/Annots"] = ArrayObject([*others, *chosen])

    return updated(pdf, edit)


def _moved(comments: list[Any]) -> None:
    for each in comments:
        each.get_object()["/Rect"] = names(R=[300, 300, 480, 330])["/R"]


def _with_tabs(pdf: bytes) -> bytes:
    def turn(writer: Writer) -> None:
        page(writer)["/Tabs"] = NameObject("/C")

    return updated(pdf, turn)


_FREE = (300, 400, 500, 430)
_DRAWN = b"BT /Helv 12 Tf 2 5 Td (see page 3) Tj ET"
_NOTE = (500, 780, 518, 798)
_WORDS = (72, 716, 200, 732)

STEPS: Mapping[str, Callable[[bytes], bytes]] = {
    "Remarks filled": filled,
    "Re.marks filled": partial(filled, name="Re.marks"),
    "Remarks filled again": partial(filled, text="Not paid"),
    "Remarks filled without appearance": filled_without_appearance,
    "Remarks filled with a PDF's own words": partial(filled, text="see startxref 12 here"),
    "Remarks emptied": partial(filled, text=""),
    "Amount refilled": partial(filled, name="Amount", text="900"),
    "Amount refilled without appearance": partial(filled_without_appearance, name="Amount", text="900"),
    "Amount refilled in value only": value_changed_only,
    "Amount refilled in appearance only": appearance_changed_only,
    "Amount refilled with the same": partial(filled, name="Amount", text="100"),
    "Amount emptied": partial(filled, name="Amount", text=""),
    "Agreed ticked": ticked,
    "Agreed unticked": unticked,
    "Bank chosen again": chosen,
    "note added": partial(annotated, kind="Text", box=_NOTE, Name="Comment"),
    "words highlighted": partial(
        annotated, kind="Highlight", box=_WORDS, QuadPoints=[72, 732, 200, 732, 72, 716, 200, 716], C=[1, 1, 0]
    ),
    "free text added": partial(annotated, kind="FreeText", box=_FREE, drawing=_DRAWN),
    "stamp added": partial(annotated, kind="Stamp", box=_FREE, drawing=b"1 0 0 rg 0 0 200 30 re f"),
    "free text added beside the amount": partial(annotated, kind="FreeText", box=(156, 716, 200, 732), drawing=_DRAWN),
    "comments removed": partial(_with_comments, change=lambda comments: comments.clear()),
    "comments moved": partial(_with_comments, change=_moved),
    "fields removed from the page": partial(_with_comments, change=lambda comments: comments.clear(), kind="Widget"),
    "tabs in another order": _with_tabs,
    "page content replaced": with_content,
    "page content replaced as validation data": with_content_as_validation_data,
    "page added": with_page,
    "text field added": with_field,
    "script added": partial(with_catalogue_entry, key="OpenAction", value=_script),
    "script of a field added": with_scripted_field,
    "script of the page added": with_page_action,
    "information changed": with_information,
    "bookmarks closed": partial(with_catalogue_entry, key="PageMode", value=lambda _: NameObject("/UseNone")),
    "XMP changed": partial(with_catalogue_entry, key="Metadata", value=_xmp),
}
