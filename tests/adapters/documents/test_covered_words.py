# mypy: disable-error-code="no-untyped-call"
"""Drawings that are laid over words after somebody has signed, and honest neighbours: real PDFs, real signatures."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from pyhanko.pdf_utils.generic import ArrayObject, NumberObject
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm, SigFieldSpec, append_signature_field
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner

from models.archive.verdict import Outcome
from tests.adapters.documents.conftest import Judge
from tests.adapters.documents.corpus import edits, forms, layouts, writers
from tests.adapters.documents.corpus.edits import annotated, appearance
from tests.adapters.documents.corpus.identities import pyhanko_signer
from tests.adapters.documents.corpus.signatures import signed
from tests.adapters.documents.corpus.writing import Writer, field, names, page
from tests.pdfs import updated, writer_of

Box = tuple[int, int, int, int]

_COVER = b"1 g 0 0 500 500 re f 0 g BT /Helv 12 Tf 2 3 Td (900) Tj ET"
_LINE = (60, 690, 400, 740)
_FREE = (300, 400, 500, 430)
_AMOUNT_OF_LINE = (125, 715, 160, 735)


def form() -> bytes:
    return signed(layouts.table(forms.form()))


def with_glyphs() -> bytes:
    """Return a page whose letters are numbers of glyphs, as word processors write them: no byte is a letter."""
    inner = (
        b"/Type/Font/Subtype/CIDFontType2/BaseFont/A/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    )
    font = b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/DescendantFonts[<<%b>>]>>" % inner
    content = forms.stream(b"", b"BT /Helv 12 Tf 72 720 Td <001400130013> Tj ET")
    return signed(layouts.table({**forms.form(), forms.FONT: font, forms.CONTENT: content}))


def with_empty_field(pdf: bytes, box: Box) -> bytes:
    def draw(writer: Writer) -> None:
        append_signature_field(writer, SigFieldSpec("Second", box=box))
        drawn = appearance(writer, _COVER, (box[2] - box[0], box[3] - box[1]))
        field(writer, "Second")["/AP"] = names(N=drawn)

    return updated(pdf, draw)


def signed_over(pdf: bytes, box: Box) -> bytes:
    return signed(with_empty_field(pdf, box), "Second")


def with_permission(key: bytes, rights: bytes, *, is_signed: bool = False) -> bytes:
    """Let people annotate by a signature of no field, have the form signed, and add an amount in a comment."""
    base = forms.replaced(forms.form(), forms.CATALOGUE, b">>", b"/Perms<</%b 15 0 R>>>>" % key)
    said = b"/Reference[<</TransformMethod/%b/TransformParams<<%b>>>>]>>" % (key, rights)
    kind = writers.Kind()
    pdf = layouts.table({**base, 15: writers.empty_signature(kind)[:-2] + said if is_signed else b"<<" + said})
    return annotated(signed(writers.sealed(pdf, kind) if is_signed else pdf), "FreeText", _FREE, _COVER)


def reordered(pdf: bytes) -> bytes:
    def turn(writer: Writer) -> None:
        here = page(writer)
        here["/Annots"] = ArrayObject(reversed(list(here["/Annots"])))

    return updated(pdf, turn)


def highlighted(pdf: bytes, **more: Any) -> bytes:
    quads = [60, 740, 400, 740, 60, 690, 400, 690]
    return annotated(pdf, "Highlight", _LINE, QuadPoints=quads, C=[1, 1, 0], **more)


def struck_out(pdf: bytes, red: int, others: int) -> bytes:
    quads = [125, 734, 160, 734, 125, 716, 160, 716]
    return annotated(pdf, "StrikeOut", _AMOUNT_OF_LINE, QuadPoints=quads, C=[red, others, others])


def annotated_freely(kind: str, box: Box = _FREE, drawing: bytes | None = None, **more: Any) -> bytes:
    """Annotate a page with an image, of a document that is certified so that people may annotate it."""
    pdf = signed(layouts.table(forms.wrapped_lines()), certify=MDPPerm.ANNOTATE)
    return annotated(pdf, kind, box, drawing, **more)


def on_turned_page() -> bytes:
    """Annotate a turned page: the rectangle is in white space, and what it shows turns from there over the amount."""
    turned = forms.replaced(forms.form(), forms.PAGE, b"/MediaBox", b"/Rotate 90/MediaBox")
    pdf = annotated(signed(layouts.table(turned), certify=MDPPerm.ANNOTATE), "FreeText", (130, 345, 190, 685), _COVER)

    def flag(writer: Writer) -> None:
        comment = page(writer)["/Annots"][-1]
        comment["/F"] = NumberObject(4 | 16)
        writer.update_container(comment)

    return updated(pdf, flag)


def marked(color: bytes, blending: str) -> bytes:
    """Highlight the line as Acrobat does, by an appearance of its own."""

    def draw(writer: Writer) -> None:
        mark = page(writer)["/Annots"][-1]
        drawing = b"/G gs " + color + b" 0 0 340 50 re f"
        state = names(ExtGState=names(G=names(BM=blending)))
        mark["/AP"] = names(N=appearance(writer, drawing, (340, 50), state))
        writer.update_container(mark)

    quads = [60, 740, 400, 740, 60, 690, 400, 690]
    return updated(annotated_freely("Highlight", _LINE, QuadPoints=quads), draw)


def changed_after_lock(step: str) -> bytes:
    """Add a comment as the certification permits, and change the document after a signature that locks it."""
    writer, output = writer_of(annotated_freely("FreeText", drawing=_COVER)), BytesIO()
    append_signature_field(
        writer,
        SigFieldSpec(
            "Second", field_mdp_spec=FieldMDPSpec(FieldMDPAction.ALL), doc_mdp_update_value=MDPPerm.NO_CHANGES
        ),
    )
    metadata = PdfSignatureMetadata("Second", docmdp_permissions=MDPPerm.NO_CHANGES)
    PdfSigner(metadata, pyhanko_signer("ec")).sign_pdf(writer, output=output)
    return edits.STEPS[step](output.getvalue())


_OWE = b" BT /Helv 12 Tf 12 30 Td (I owe you 900) Tj ET"
_WHITE = b"1 g 0 0 340 50 re f 0 g "
_PICTURE = b" q 340 0 0 50 0 0 cm /Im Do Q"


def stamped(drawing: bytes, image: bytes | None = None, **more: bytes) -> Callable[[], bytes]:
    return lambda: writers.stamped_over(form(), drawing, image, **more)


FORGED = {
    "an amount in a field that nobody signed": lambda: with_empty_field(form(), _FREE),
    "a stamp with a line that is enlarged": stamped(b"q 50 0 0 50 0 0 cm 1 G 0 .5 m 7 .5 l S Q" + _OWE),
    "a stamp with many white lines": stamped(b"1 G 3 w " + b"0 %d m 340 %d l S " * 17 % tuple(range(34)) + _OWE),
    "a stamp with an amount as its reason": stamped(_WHITE + _OWE, stated=b"/Reason(I owe you 900)"),
    "a stamp with an amount of the digits of a date": stamped(_WHITE + _OWE.replace(b"I owe you 900", b"1,312,202")),
    "a stamp with an amount like a time zone": stamped(_WHITE + _OWE.replace(b"I owe you 900", b"+9000")),
    "a stamp with an amount like a time": stamped(_WHITE + _OWE.replace(b"I owe you 900", b"90:00")),
    "a stamp with digits beside an amount": stamped(b"BT /Helv 12 Tf 88 30 Td (000) Tj ET"),
    "a stamp whose words are white": stamped(b"1 g 0 0 340 50 re f BT /Helv 9 Tf 2 30 Td (Signed by Signer ec) Tj ET"),
    "a stamp whose words are cut off": stamped(_WHITE + b"BT /Helv 9 Tf 2 300 Td (Signed by Signer ec) Tj ET"),
    "a stamp whose mask hides a part": stamped(_PICTURE, b"\xf0\0"),
    "a stamp whose mask is turned": stamped(_PICTURE, b"\0\0", masked=b"/Decode[1 0]"),
    "a stamp whose mask has bytes behind its end": stamped(_PICTURE, b"\xff\xff" + b"\0" * 9),
    "a signature over the amount in a line": lambda: signed_over(form(), _AMOUNT_OF_LINE),
    "a signature over a filled field": lambda: signed_over(form(), (70, 558, 110, 582)),
    "a signature over glyphs": lambda: signed_over(with_glyphs(), _LINE),
    "an icon over the amount in a line": lambda: annotated(form(), "Text", (128, 712, 158, 740), b"0 0 30 30 re f"),
    "a highlight that blends as a cover": lambda: highlighted(form(), BM="Normal"),
    "a white line": lambda: struck_out(form(), 1, 1),
    "a comment that a false certification permits": lambda: with_permission(b"DocMDP", b"/P 3"),
    "a comment that false usage rights permit": lambda: with_permission(b"UR3", b"/Annots[/Create]"),
    "a highlight whose words are elsewhere than its rectangle": lambda: annotated_freely(
        "Highlight", QuadPoints=[60, 740, 400, 740, 60, 690, 400, 690], C=[0, 0, 0]
    ),
    "a written line whose points are elsewhere than its rectangle": lambda: annotated_freely(
        "Ink", InkList=[[60, 720, 400, 720]], C=[1, 1, 1]
    ),
    "a comment that does not turn with its page": on_turned_page,
    "a permitted highlight that draws in black": lambda: marked(b"0 g", "Multiply"),
    "a permitted highlight that covers": lambda: marked(b"1 1 0 rg", "Normal"),
    "a comment over an image": lambda: annotated_freely("FreeText", (495, 775, 530, 810), _COVER),
    "a comment that is removed after a signature that locks": lambda: changed_after_lock("comments removed"),
    "another tab order after a signature that locks": lambda: changed_after_lock("tabs in another order"),
    "annotations in another order": lambda: reordered(form()),
}

SOUND = {
    "a signature beside the line": lambda: signed_over(form(), (300, 715, 400, 740)),
    "a signature over an empty field": lambda: signed_over(form(), (72, 600, 172, 620)),
    "a comment that a certification permits": lambda: annotated_freely("FreeText", drawing=_COVER),
    "a highlight with an appearance that a certification permits": lambda: marked(b"1 1 0 rg", "Multiply"),
    "a comment that usage rights permit": lambda: with_permission(b"UR3", b"/Annots[/Create]", is_signed=True),
    "an icon beside the line": lambda: annotated(form(), "Text", (400, 712, 420, 732), b"0 0 20 20 re f"),
    "a red line": lambda: struck_out(form(), 1, 0),
    "a highlight that blends with the text": lambda: highlighted(form(), BM="Multiply"),
}


@pytest.mark.parametrize("name", FORGED)
def test_drawing_over_what_somebody_signed_is_a_change(judge: Judge, name: str) -> None:
    make: Callable[[], bytes] = FORGED[name]

    assert judge(make()).outcome is Outcome.CHANGED


@pytest.mark.parametrize("name", SOUND)
def test_drawing_beside_the_words_is_sound(judge: Judge, name: str) -> None:
    make: Callable[[], bytes] = SOUND[name]

    assert judge(make()).outcome is Outcome.SOUND


def test_stamp_over_an_image_covers_what_the_image_may_show(judge: Judge) -> None:
    verdict = judge(signed_over(signed(layouts.table(forms.wrapped_lines())), (495, 775, 530, 810)))

    assert (verdict.outcome, [each.words for each in verdict.covered]) == (Outcome.COVERED, [""])


_GLYPHS = b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-%b/DescendantFonts[<</Subtype/CIDFontType2%b>>]>>"
_LINE_OF_TEXT = b"BT 72 720 Td (I owe you 100) Tj ET"
_OVER = (70, 721, 145, 732)

PLACED: dict[str, tuple[bytes, Box, bytes]] = {
    "raised": (b"BT /Helv 12 Tf 300 Ts 72 420 Td (100) Tj ET", _OVER, b""),
    "stretched": (b"BT /Helv 12 Tf 400 Tz 10 720 Td (I owe 100) Tj ET", (100, 716, 300, 732), b""),
    "with gaps of letters": (b"BT /Helv 12 Tf 72 720 Td 60 Tc (1000) Tj ET", (130, 716, 300, 732), b""),
    "with gaps of words": (b'BT /Helv 12 Tf 72 720 Td 200 0 (a 100) " ET', (270, 716, 340, 732), b""),
    "in letters that stand apart": (b"BT /F 12 Tf 72 720 Td (100) Tj ET", (70, 716, 95, 732), b"[9000 9000]"),
    "in letters without a width": (b"BT /F 12 Tf 72 720 Td (1) Tj 7 0 Td (0) Tj ET", _OVER, b"[0 0]"),
    "behind wide letters": (b"BT /Helv 12 Tf 40 720 Td (%b 100) Tj ET" % (b"W" * 30), (383, 716, 405, 732), b""),
    "behind narrow glyphs": (
        b"BT /F 12 Tf 72 720 Td <%b> Tj ET" % (b"0020" * 40 + b"0003" * 4 + b"0031" * 3),
        (193, 716, 205, 732),
        _GLYPHS % (b"H", b"/DW 250/W[3[250]4 32 250]"),
    ),
    "from top to bottom": (b"BT /F 12 Tf 100 800 Td <003100300030> Tj ET", (94, 770, 106, 790), _GLYPHS % (b"V", b"")),
    "in a font of the state": (b"/G gs " + _LINE_OF_TEXT, _OVER, b"<</Font[10 0 R 12]>>"),
    "in a font that is restored": (b"/Helv 12 Tf q /Helv .1 Tf Q " + _LINE_OF_TEXT, _OVER, b""),
    "in a font of minus twelve": (b"BT /Helv -12 Tf -1 0 0 -1 72 720 Tm (100) Tj ET", _OVER, b""),
    "in a font of the caller": (b"/Helv 12 Tf /X Do", _OVER, forms.stream(b"/Subtype/Form", _LINE_OF_TEXT)),
    "in a pattern": (
        b"/Pattern cs /P scn 0 0 595 842 re f",
        _OVER,
        forms.stream(b"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 595 842]/XStep 595/YStep 842", _LINE_OF_TEXT),
    ),
    "behind an image": (b"BI /W 1/H 1/BPC 8/CS/G ID ( EI /Helv 12 Tf " + _LINE_OF_TEXT, _OVER, b""),
    "behind an image with an end inside": (
        b"BI /W 8/H 1/BPC 8/CS/G ID a EI ( b EI /Helv 12 Tf " + _LINE_OF_TEXT + b"\n% )",
        _OVER,
        b"",
    ),
    "in a part of a number": (b"BT /Helv 12 Tf 100 720 Td (1000000) Tj ET", (125, 716, 180, 732), b""),
}


@pytest.mark.parametrize("name", PLACED)
def test_stamp_over_an_amount_is_never_sound_wherever_viewers_show_it(judge: Judge, name: str) -> None:
    content, box, thing = PLACED[name]
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/FirstChar 48/LastChar 49/Widths%b>>" % thing
    resources = b"/XObject<</X 15 0 R>>/ExtGState<</G 15 0 R>>/Pattern<</P 15 0 R>>/Font<</F 15 0 R"
    page = forms.replaced(forms.form(), forms.PAGE, b"/Resources<</Font<<", b"/Resources<<" + resources)
    made = {**page, forms.CONTENT: forms.stream(b"", content), 15: font if thing.startswith(b"[") else thing or b"null"}

    assert judge(signed(signed(layouts.table(made)), "Second", box=box)).outcome in (Outcome.COVERED, Outcome.CHANGED)


_SHOWN = b"BT /Helv 12 Tf 2 5 Td (100) Tj ET"
_OVER_AMOUNT = (72, 560, 272, 580)
SHOWN_BY_VIEWERS: dict[str, tuple[bytes, bytes, Box]] = {
    "a field without an appearance": (b"/AP<</N 11 0 R>>", b"", _OVER_AMOUNT),
    "a field that viewers draw anew": (b"/AP<</N 11 0 R>>", b"/AP<</N 12 0 R>>", _OVER_AMOUNT),
    "a field that turns its appearance": (b"/AP<</N 11 0 R>>", b"/AP<</N 15 0 R>>", (235, 558, 272, 582)),
    "a pressed button": (b"/FT/Tx", b"/FT/Btn/AS/Yes", _OVER_AMOUNT),
    "a comment without an appearance": (b"/Subtype/Widget", b"/Subtype/FreeText/Contents(100)", _OVER_AMOUNT),
}


@pytest.mark.parametrize("name", SHOWN_BY_VIEWERS)
def test_stamp_over_what_viewers_show_of_an_annotation_is_never_sound(judge: Judge, name: str) -> None:
    old, new, box = SHOWN_BY_VIEWERS[name]
    turned = b"/Subtype/Form/Matrix[-1 0 0 -1 0 0]/BBox[0 0 200 20]/Resources<</Font<</Helv 10 0 R>>>>"
    drawn = forms.replaced(forms.form(), forms.FORM, b"/DA", b"/NeedAppearances true/DA" if "anew" in name else b"/DA")
    made = {**forms.replaced(drawn, forms.AMOUNT, old, new), 15: forms.stream(turned, _SHOWN)}
    pdf = writers.signed_by_update(layouts.table(made), b"First", writers.Kind())

    assert judge(signed(pdf, "Second", box=box)).outcome is Outcome.COVERED
