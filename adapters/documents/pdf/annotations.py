# mypy: disable-error-code="no-untyped-call"
"""Compares the annotations of pages: which of them may be added after somebody has signed.

A comment beside the page is no change of the page (ISO 32000-2, 12.8.2.2, permits it by P = 3). Most kinds of
annotations can draw anything over the page, so an update with an annotation of such a kind changes what was signed,
unless the document lets people change its annotations and it stands away from all words.
"""

from collections.abc import Iterator, Set
from contextlib import suppress
from decimal import Decimal

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, PdfObject, Reference
from pyhanko.pdf_utils.reader import HistoricalResolver, RawPdfPath
from pyhanko.sign.diff_analysis import ModificationLevel, SuspiciousModification
from pyhanko.sign.diff_analysis.rules_api import QualifiedWhitelistRule, ReferenceUpdate, RelativeContext
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from adapters.documents.pdf.appearance import DARKEST_MARKER, drawing_of, lightness
from adapters.documents.pdf.document import DAMAGES, entry, filled_fields, inherited, usages_of
from adapters.documents.pdf.page_text import covered_words
from adapters.documents.pdf.stamps import (
    Stamp,
    annotations_of,
    dictionary_of,
    is_stamp,
    later_stamps,
    lengthens_number,
    pages,
)

Update = tuple[ModificationLevel, ReferenceUpdate]

_MARKS = {"/Highlight", "/Underline", "/Squiggly", "/StrikeOut"}
_PEOPLES = _MARKS | {
    *("/Text", "/FreeText", "/Line", "/Square", "/Circle", "/Polygon", "/PolyLine", "/Stamp", "/Caret", "/Ink"),
    *("/Popup", "/FileAttachment"),
}
_AWAY = 12  # points from the next word
_ACTIVE = {"/A", "/AA", "/PA", "/MK"}
_LARGEST_ICON = 32  # points
_PALEST_LINE = 0.85
_ROUNDED = 0.01  # points
_OF_A_PAGE = {"/Annots", "/Tabs", "/LastModified"}
"""The entries of a page that may change with its annotations. None of the others may."""


_INHERITED = {"/Resources", "/MediaBox", "/CropBox", "/Rotate"}
"""The entries that a page may inherit. iText repeats them in each page that it writes again."""


class AnnotationsRule(QualifiedWhitelistRule):
    """Permits widgets of new signature fields, and comments that draw nothing of their own over the page."""

    def apply_qualified(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterator[Update]:
        changed = new.explicit_refs_in_revision()
        stamps, is_free = later_stamps(old, new), _lets_annotate(old)
        if is_free is False and any(stamp.is_new and not stamp.field for stamp in stamps.values()):
            raise SuspiciousModification("the document permits no further field without a signature")
        for before, after in pages(old.root["/Pages"], new.root["/Pages"], frozenset()):
            if is_free is False and entry(dictionary_of(before), "/Tabs") != entry(dictionary_of(after), "/Tabs"):
                raise SuspiciousModification("the document permits no other tab order")
            added = _added(before, after, changed) if is_free else _added(before, after)
            for reference in (changed | (added or set())) & stamps.keys() & set(annotations_of(after)):
                _check_stamp(dictionary_of(before), reference, stamps[reference])
            if added:
                new_widgets = {each for each in stamps if stamps[each].is_new}
                yield from _with_additions(old, new, (before, after), added - new_widgets, is_free=bool(is_free))
            elif before in changed and added is not None:
                page, new_page = dictionary_of(before), dictionary_of(after)
                is_same = annotations_of(before) == annotations_of(after) and entry(page, "/Tabs") == entry(
                    new_page, "/Tabs"
                )
                level = ModificationLevel.LTA_UPDATES if is_same else ModificationLevel.ANNOTATIONS
                yield from _page_updates(old, before, after, level)


def _lets_annotate(old: HistoricalResolver) -> bool | None:
    """Return whether the author, or else usage rights, let people change annotations. None if neither says anything."""
    permissions = entry(old.root, "/Perms")
    for key in ("/DocMDP", "/UR3") if isinstance(permissions, DictionaryObject) else ():
        signature = entry(permissions, key)
        if signature is None or not (_is_of_field if key == "/DocMDP" else _is_signed)(old, permissions.raw_get(key)):
            continue
        references = entry(signature, "/Reference") if isinstance(signature, DictionaryObject) else None
        for each in references or ():
            rights = entry(each.get_object(), "/TransformParams") or DictionaryObject()
            if key == "/DocMDP" or entry(rights, "/Annots"):
                return key == "/UR3" or entry(rights, "/P") == MDPPerm.ANNOTATE.value
    return None


def _is_of_field(old: HistoricalResolver, signature: PdfObject) -> bool:
    """Return whether a signature belongs to a field, so that it is judged like all others. Anybody can write one."""
    return any(field.raw_get("/V") == signature for _, field in filled_fields(old))


def _is_signed(old: HistoricalResolver, signature: PdfObject) -> bool:
    """Return whether usage rights are a signature that fits the document."""
    with suppress(*DAMAGES):
        rights = EmbeddedPdfSignature(old.reader, DictionaryObject({NameObject("/V"): signature}), "UR3")
        return all(validate_sig_integrity(rights.signer_info, rights.signer_cert, "data", rights.compute_digest()))
    return False


def _added(before: Reference, after: Reference, changed: Set[Reference] | None = None) -> Set[Reference] | None:
    """Return the annotations that a page has gained. None if the page has lost any, or draws them in another order,
    by which a later one covers an earlier one: no rule permits that.

    `changed`: the changed objects, if people may change annotations. Then these belong to the gained, in any order.
    """
    annotations, new_annotations = annotations_of(before), annotations_of(after)
    added = set(new_annotations) - set(annotations)
    if changed is not None:
        widgets = {each for each in annotations if entry(dictionary_of(each), "/Subtype") == "/Widget"}
        added |= {each for each in new_annotations if each in changed and each not in widgets}
        return added if widgets <= set(new_annotations) else None
    return added if [each for each in new_annotations if each not in added] == annotations else None


def _with_additions(
    old: HistoricalResolver,
    new: HistoricalResolver,
    page: tuple[Reference, Reference],
    comments: Set[Reference],
    *,
    is_free: bool,
) -> Iterator[Update]:
    level = ModificationLevel.ANNOTATIONS if comments else ModificationLevel.LTA_UPDATES
    for comment in comments:
        annotation = dictionary_of(comment)
        is_away = is_free and entry(annotation, "/Subtype") in _PEOPLES and not annotation.keys() & _ACTIVE
        is_marked = is_free and _is_drawn_mark(annotation)
        if not (is_away and (is_marked or not covered_words(dictionary_of(page[0]), annotation, comment, near=_AWAY))):
            check_comment(annotation)
            if "/AP" in annotation and any(covered_words(dictionary_of(page[0]), annotation)):
                raise SuspiciousModification("an icon was laid over text of the page")
        paths = [path.path for path in usages_of(old, comment)]
        if is_free and all("/Annots" in path and "/AP" not in path for path in paths):
            yield level, ReferenceUpdate(comment)
        for reference in {comment, *new.collect_dependencies(comment.get_object(), since_revision=old.revision + 1)}:
            if not usages_of(old, reference):
                yield level, ReferenceUpdate(reference)
    yield from _page_updates(old, *page, level)


def _check_stamp(page: DictionaryObject, reference: Reference, stamp: Stamp) -> None:
    """Refuse a signature field over text of the page, unless it is the stamp of a signature that says who signed; and
    one without a signature that shows anything but a border, wherever it stands.
    """
    drawing = drawing_of(dictionary_of(reference)) if stamp.is_new and stamp.field is None else None
    if drawing and (drawing.text.strip() or drawing.images or drawing.areas):
        raise SuspiciousModification("a signature field without a signature shows something")
    words = covered_words(page, dictionary_of(reference), reference)
    if any(words) and not is_stamp(dictionary_of(reference), words, stamp):
        raise SuspiciousModification("a signature field was laid over text of the page")
    if lengthens_number(page, reference, stamp):
        raise SuspiciousModification("a signature field shows digits beside a number of the page")


def _page_updates(
    old: HistoricalResolver, before: Reference, after: Reference, level: ModificationLevel
) -> Iterator[Update]:
    page, new_page = dictionary_of(before), dictionary_of(after)
    names = (page.keys() | new_page.keys()) - _OF_A_PAGE - _INHERITED
    if not (
        all(_is_alike(inherited(page, name), inherited(new_page, name)) for name in _INHERITED)
        and all(name in page and name in new_page for name in names)
        and all(_is_alike(page.raw_get(name), new_page.raw_get(name)) for name in names)
    ):
        raise SuspiciousModification("a page was changed")
    yield level, ReferenceUpdate(after)  # a page is referred to from everywhere; nothing else of it has changed
    held = new_page.raw_get("/Annots") if "/Annots" in new_page else None
    if isinstance(held, IndirectObject):
        usages = usages_of(old, held.reference)
        is_in_place = "/Annots" in page and page.raw_get("/Annots") == held
        if is_in_place or not usages:
            context = RelativeContext(before, RawPdfPath("/Annots")) if is_in_place else None
            yield level, ReferenceUpdate(held.reference, context_checked=context)


def _is_alike(before: object, after: object) -> bool:
    """Return whether two values are equal, but for the last digits of a box: MuPDF and pypdf write numbers shorter.

    A tiny box, which a large unit of the page enlarges, has other last digits.
    """
    if before == after or not (isinstance(before, ArrayObject) and isinstance(after, ArrayObject)):
        return before == after
    if not len(before) == len(after) == 4 or not all(isinstance(each, int | Decimal) for each in (*before, *after)):
        return False
    left, bottom, right, top = map(float, before)
    rounded = min(_ROUNDED, abs(right - left) / 1000, abs(top - bottom) / 1000)
    return all(abs(float(old) - float(new)) < rounded for old, new in zip(before, after, strict=True))


def check_comment(annotation: object) -> None:
    """Check that an annotation is a comment that covers nothing of the page.

    Raises SuspiciousModification if it is of another kind, or draws something of its own.
    """
    if not isinstance(annotation, DictionaryObject) or annotation.keys() & _ACTIVE:
        raise SuspiciousModification("an annotation that does something was added")
    kind, appearance = entry(annotation, "/Subtype"), entry(annotation, "/AP")
    is_harmless = (
        (kind == "/Popup" and appearance is None)
        or (kind == "/Text" and (appearance is None or _is_icon(annotation)))
        or (kind in _MARKS and appearance is None and _is_clear(annotation))
    )
    if not is_harmless:
        raise SuspiciousModification("an annotation that can cover the page was added")


def _is_icon(annotation: DictionaryObject) -> bool:
    left, bottom, right, top = (float(number) for number in annotation["/Rect"])
    drawing = drawing_of(annotation)
    return (
        max(abs(right - left), abs(top - bottom)) <= _LARGEST_ICON
        and drawing is not None
        and not (drawing.text or drawing.hides_text or drawing.images)
    )


def _is_drawn_mark(annotation: DictionaryObject) -> bool:
    """Return whether a mark draws nothing but what a marker or a thin dark line draws, as Acrobat writes each mark."""
    drawing = drawing_of(annotation) if entry(annotation, "/Subtype") in _MARKS else None
    return drawing is not None and not (drawing.text or drawing.hides_text or drawing.images or drawing.areas)


def _is_clear(annotation: DictionaryObject) -> bool:
    """Return whether the text below a mark can be read: no highlight is dark, or blends so that it covers (PDF 2.0).
    No line is pale either, since many pale lines cover a word.
    """
    if entry(annotation, "/BM") not in (None, "/Multiply"):
        return False
    color = entry(annotation, "/C")
    if not color:
        return True
    light = lightness([float(part) for part in color])
    return light >= DARKEST_MARKER if annotation["/Subtype"] == "/Highlight" else light <= _PALEST_LINE
