"""The objects of the form that the corpus signs, and of its relatives. They are written byte by byte.

The page shows two lines. The form has the text field Remarks (empty), the text field Amount (filled), the check box
Agreed (off), the list Bank (with a choice) and the signature field Approval (empty).
"""

from collections.abc import Mapping

CATALOGUE, PAGES, FORM, PAGE, CONTENT = 1, 2, 3, 4, 5
REMARKS, AMOUNT, AGREED, BANK, FONT, AMOUNT_SHOWN, YES, OFF, APPROVAL = 6, 7, 8, 9, 10, 11, 12, 13, 14

Objects = Mapping[int, bytes]

PAGE_TEXT = b"BT /Helv 12 Tf 72 720 Td (I owe you 100) Tj 0 -20 Td (to the World Health Organisation) Tj ET"

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreatorTool>%b</xmp:CreatorTool>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def stream(entries: bytes, data: bytes) -> bytes:
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(data), data)


def shown(text: bytes) -> bytes:
    """Return the appearance of a text field."""
    drawing = b"/Tx BMC q BT /Helv 12 Tf 2 5 Td (%b) Tj ET Q EMC" % text
    entries = b"/Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</Helv %d 0 R>>>>" % FONT
    return stream(entries, drawing)


def widget(kind: bytes, name: bytes, bottom: int, more: bytes) -> bytes:
    place = b"/Type/Annot/Subtype/Widget/F 4/P %d 0 R/Rect[72 %d 272 %d]" % (PAGE, bottom, bottom + 20)
    return b"<<%b/FT/%b/T(%b)%b>>" % (place, kind, name, more)


def form() -> Objects:
    fields = b"%d 0 R %d 0 R %d 0 R %d 0 R %d 0 R" % (REMARKS, AMOUNT, AGREED, BANK, APPROVAL)
    box = b"/Type/XObject/Subtype/Form/BBox[0 0 20 20]"
    text = b"/DA(/Helv 12 Tf 0 g)"
    return {
        CATALOGUE: b"<</Type/Catalog/Pages %d 0 R/AcroForm %d 0 R>>" % (PAGES, FORM),
        PAGES: b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % PAGE,
        FORM: b"<</Fields[%b]/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv %d 0 R>>>>>>" % (fields, FONT),
        PAGE: (
            b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Annots[%b]"
            b"/Resources<</Font<</Helv %d 0 R>>>>>>" % (PAGES, CONTENT, fields, FONT)
        ),
        CONTENT: stream(b"", PAGE_TEXT),
        REMARKS: widget(b"Tx", b"Remarks", 600, text + b"/V()"),
        AMOUNT: widget(b"Tx", b"Amount", 560, text + b"/V(100)/AP<</N %d 0 R>>" % AMOUNT_SHOWN),
        AGREED: widget(b"Btn", b"Agreed", 520, b"/V/Off/AS/Off/AP<</N<</Yes %d 0 R/Off %d 0 R>>>>" % (YES, OFF)),
        BANK: widget(b"Ch", b"Bank", 480, text + b"/Ff 131072/Opt[(North)(South)]/V(North)"),
        FONT: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        AMOUNT_SHOWN: shown(b"100"),
        YES: stream(box, b"q 2 2 16 16 re f Q"),
        OFF: stream(box, b""),
        APPROVAL: widget(b"Sig", b"Approval", 100, b""),
    }


def replaced(objects: Objects, number: int, old: bytes, new: bytes) -> Objects:
    assert old in objects[number]
    return {**objects, number: objects[number].replace(old, new)}


def letter() -> Objects:
    """Return a page without a form, as most programs write it before somebody signs."""
    plain = {number: form()[number] for number in (CATALOGUE, PAGES, PAGE, CONTENT, FONT)}
    plain = replaced(dict(plain), CATALOGUE, b"/AcroForm %d 0 R" % FORM, b"").copy()  # type: ignore[attr-defined]
    start, end = plain[PAGE].index(b"/Annots"), plain[PAGE].index(b"/Resources")
    return _renumbered({**plain, PAGE: plain[PAGE][:start] + plain[PAGE][end:]})


def _renumbered(objects: Objects) -> Objects:
    """Close the gaps between the numbers by null objects, so that a table has one section."""
    return {number: objects.get(number, b"null") for number in range(1, max(objects) + 1)}


def tagged() -> Objects:
    """Return the form with a structure tree: the page's text and the widget of Amount."""
    objects = replaced(form(), CATALOGUE, b"/AcroForm", b"/MarkInfo<</Marked true>>/StructTreeRoot 15 0 R/AcroForm")
    objects = replaced(objects, PAGE, b"/Contents", b"/StructParents 0/Tabs/S/Contents")
    objects = replaced(objects, AMOUNT, b"/FT", b"/StructParent 1/FT")
    return {
        **objects,
        CONTENT: stream(b"", b"/P <</MCID 0>> BDC " + PAGE_TEXT + b" EMC"),
        15: b"<</Type/StructTreeRoot/K 16 0 R/ParentTree 19 0 R/ParentTreeNextKey 2>>",
        16: b"<</Type/StructElem/S/Document/P 15 0 R/K[17 0 R 18 0 R]>>",
        17: b"<</Type/StructElem/S/P/P 16 0 R/Pg %d 0 R/K 0>>" % PAGE,
        18: b"<</Type/StructElem/S/Form/P 16 0 R/Pg %d 0 R/K<</Type/OBJR/Obj %d 0 R>>>>" % (PAGE, AMOUNT),
        19: b"<</Nums[0[17 0 R]1 18 0 R]>>",
    }


def nested() -> Objects:
    """Return the form with Remarks and Amount below a field Invoice, and the page below two nodes of pages."""
    objects = replaced(form(), PAGES, b"%d 0 R" % PAGE, b"15 0 R")
    objects = replaced(objects, PAGE, b"/Parent %d" % PAGES, b"/Parent 15")
    objects = replaced(objects, FORM, b"[%d 0 R %d 0 R" % (REMARKS, AMOUNT), b"[16 0 R")
    for number in (REMARKS, AMOUNT):
        objects = replaced(objects, number, b"/FT/Tx", b"/Parent 16 0 R")
    return {
        **objects,
        15: b"<</Type/Pages/Parent %d 0 R/Kids[%d 0 R]/Count 1>>" % (PAGES, PAGE),
        16: b"<</FT/Tx/T(Invoice)/Kids[%d 0 R %d 0 R]>>" % (REMARKS, AMOUNT),
    }


def dangling() -> Objects:
    """Return the form with references to objects that do not exist, as many programs leave them."""
    objects = replaced(form(), CATALOGUE, b"/AcroForm", b"/Outlines 90 0 R/Metadata 91 0 R/AcroForm")
    objects = replaced(objects, PAGE, b"/Contents", b"/Thumb 92 0 R/Contents")
    return replaced(objects, BANK, b"/FT", b"/AP<</N 93 0 R>>/FT")


def described() -> Objects:
    """Return the form with metadata in XMP, bookmarks, and a script that runs when it is opened."""
    objects = replaced(form(), CATALOGUE, b"/AcroForm", b"/Metadata 15 0 R/Outlines 16 0 R/OpenAction 18 0 R/AcroForm")
    return {
        **objects,
        15: stream(b"/Type/Metadata/Subtype/XML", XMP % b"A program"),
        16: b"<</Type/Outlines/First 17 0 R/Last 17 0 R/Count 1>>",
        17: b"<</Title(Agreement)/Parent 16 0 R/Dest[%d 0 R/Fit]>>" % PAGE,
        18: b"<</S/JavaScript/JS(app.beep\\(0\\);)>>",
    }


def hebrew() -> Objects:
    """Return the form with a page in Hebrew, whose letters are numbers of glyphs that a table maps, from the right."""
    letters = dict(enumerate("חוזה שכירות 100", start=1))
    pairs = "".join(f"<{code:04x}> <{ord(letter):04x}>\n" for code, letter in letters.items())
    shown = "".join(f"{code:04x}" for code in reversed(letters))
    inner = (
        b"/Type/Font/Subtype/CIDFontType2/BaseFont/A/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    )
    font = (
        b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/DescendantFonts[<<%b>>]/ToUnicode 15 0 R>>" % inner
    )
    resources = b"/Resources<</Font<</He 16 0 R/Helv"
    return {
        **replaced(form(), PAGE, b"/Resources<</Font<</Helv", resources),
        CONTENT: stream(b"", b"BT /He 12 Tf 72 720 Td <%b> Tj ET" % shown.encode()),
        15: stream(b"", f"{len(letters)} beginbfchar\n{pairs}endbfchar".encode()),
        16: font,
    }


def wrapped_lines() -> Objects:
    """Return the form with several parts of content and an image, as scanners and printers write them."""
    objects = replaced(form(), PAGE, b"/Contents %d 0 R" % CONTENT, b"/Contents[%d 0 R 15 0 R]" % CONTENT)
    objects = replaced(objects, PAGE, b"/Resources<<", b"/Resources<</XObject<</Im 16 0 R>>")
    image = b"/Type/XObject/Subtype/Image/Width 2/Height 2/ColorSpace/DeviceGray/BitsPerComponent 8"
    return {**objects, 15: stream(b"", b"q 20 0 0 20 500 780 cm /Im Do Q"), 16: stream(image, b"\x00\xff\xff\x00")}
