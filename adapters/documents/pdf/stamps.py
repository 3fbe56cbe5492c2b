# mypy: disable-error-code="no-untyped-call"
"""Finds the stamps of later signatures that stand over words of a page, as second signatures daily do.

A stamp says who signed and when. An appearance that covers words and says something else may replace them: it is a
change, whoever signed it. So is a picture over a number.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, Reference
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import HistoricalResolver
from pyhanko.sign.diff_analysis import SuspiciousModification
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from adapters.documents.pdf.appearance import drawing_of, shown_stream
from adapters.documents.pdf.document import Document, all_fields, entry, filled_fields
from adapters.documents.pdf.drawn_words import RIGHT_TO_LEFT
from adapters.documents.pdf.embedded_signature import Signature
from adapters.documents.pdf.page_text import covered_words, cut_off_words, numbers_beside
from adapters.documents.trust.certificates import storable
from models.archive.verdict import CoveredWords

_MOST = 100
_MOST_OF_A_BORDER = 8  # curves
_LABELS = (
    "electronically|digitally|timestamp|signature|approved|location|contact|digital|reason|signed|signing|signer|issuer|"
    "serialnumber=|email=|email|valid|name|date|time|cn=|ou=|st=|dn:|o=|c=|l=|by|on|at|utc|gmt"
)
_HEBREW_LABELS = "דיגיטלית|אלקטרונית|באמצעות|חתימה|תאריך|מיקום|עלידי|נחתם|חתום|סיבה|שעה|שם"
_TIME = (
    r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{3})?)?(?:am|pm|z)?(?:utc|gmt)?(?:[+-]\d\d[':]?\d\d)?"
    r"|am|pm|(?<=\d)[tz]"
)
_DATE = (
    "{0:%Y}[-./]0?{0.month}[-./]0?{0.day}|0?{0.day}[-./]0?{0.month}[-./](?:{0:%Y}|{0:%y})"
    "|0?{0.month}[-./]0?{0.day}[-./](?:{0:%Y}|{0:%y})|0?{0.day}[-.,]?{0:%b}[a-z]*[-.,]?{0:%Y}|{0:%b}[a-z]*0?{0.day},?{0:%Y}|{0:%A}"
)
_DIGITS_OF_AN_ID = 8


@dataclass(frozen=True, slots=True)
class Stamp:
    """The widget of a signature field without a signature in an older revision. `is_new`: the field was added later.

    `field`: the field as it is at last, with its signature; None without one.
    """

    name: str
    is_new: bool
    field: DictionaryObject | None


def later_stamps(old: HistoricalResolver, new: HistoricalResolver) -> Mapping[Reference, Stamp]:
    """Return the stamps of a revision by the references of their widgets."""
    known = {name for name, _, _ in all_fields(old)}
    signed = {name for name, _ in filled_fields(old)}
    later = [
        (name, field.container_ref) for name, field, kind in all_fields(new) if kind == "/Sig" and name not in signed
    ]
    last = dict(filled_fields(new.reader)) if later else {}
    return {
        reference: Stamp(name, name not in known, last.get(name))
        for name, reference in later
        if isinstance(reference, Reference)
    }


def is_stamp(annotation: DictionaryObject, covered: Sequence[str], stamp: Stamp) -> bool:
    """Return whether an appearance over words is of a signature, and cannot be taken for other words: what is
    below it can be read, or it says nothing but who signed, when and why.
    """
    if stamp.field is None:
        return False
    drawing = drawing_of(annotation)
    if drawing is None or not (drawing.areas or drawing.pictures or drawing.hides_text):
        return True
    signature = Signature(stamp.field.get_container_ref().get_pdf_handler(), stamp.field, stamp.name)
    hides_number = any(letter.isdigit() for word in covered for letter in word)
    stream = shown_stream(annotation)
    is_legible = not drawing.is_pale_on_pale and stream is not None and not all(cut_off_words(stream))
    if not ((drawing.text.strip() and is_legible) or drawing.pictures):
        return False
    if not _is_of(drawing.text, signature, hides_number=hides_number):
        return False
    return not (hides_number and (drawing.pictures or drawing.outlines > _MOST_OF_A_BORDER))


def lengthens_number(page: DictionaryObject, reference: Reference, stamp: Stamp) -> bool:
    """Return whether a stamp shows digits right beside a number of a page, which are no date, time or identity."""
    beside = numbers_beside(page, dictionary_of(reference), reference)
    if stamp.field is None or not beside:
        return bool(beside)
    signature = Signature(stamp.field.get_container_ref().get_pdf_handler(), stamp.field, stamp.name)
    return not all(_is_of(each, signature, hides_number=True) for each in beside)


def _is_of(text: str, signature: EmbeddedPdfSignature, *, hides_number: bool) -> bool:
    """Return whether a text consists of what a signature says of itself, and of the labels of stamps.

    `hides_number`: then a number in it is part of a whole date or time, or of an identity number of the certificate;
    else a signer could state another amount as the reason, or put it together of the digits of a date.
    """
    own, certified = _stated_by(signature), _certified_of(signature)
    pieces = {_packed(each) for each in (*own, *certified)}
    at = signature.self_reported_timestamp
    days = [at + timedelta(days=days) for days in (0, -1, 1)] if isinstance(at, datetime) else []
    if hides_number:
        ids = {_packed(each) for each in certified if sum(map(str.isdigit, each)) >= _DIGITS_OF_AN_ID}
        pieces = {each for each in pieces if not any(map(str.isdigit, each))} | ids
    else:
        for day in days:
            pieces |= {f"{day:%Y%m%d}", f"{day:%Y}", f"{day:%d}", f"{day:%m}", str(day.day), str(day.month)}
            pieces.add(_packed(f"{day:%B}"))
    pieces |= {each[::-1] for each in pieces if RIGHT_TO_LEFT.search(each)}
    longest_first = sorted((each for each in pieces if len(each) > 1 or each.isdigit()), key=len, reverse=True)
    dates = [_DATE.format(day).casefold() for day in days]
    known = [*dates, *map(re.escape, longest_first), _TIME, _LABELS, _HEBREW_LABELS, _HEBREW_LABELS[::-1]]
    rest = re.sub("|".join(known), " ", _packed(text))
    return not any(map(str.isalnum, rest))


def _stated_by(signature: EmbeddedPdfSignature) -> list[str]:
    stated = (entry(signature.sig_object, key) for key in ("/Name", "/Reason", "/Location", "/ContactInfo"))
    return [part for said in stated if isinstance(said, str) for part in (said, *said.split())]


def _certified_of(signature: EmbeddedPdfSignature) -> list[str]:
    names = (signature.signer_cert.subject, signature.signer_cert.issuer)
    held = (part for name in names for part in name.native.values())
    parts = (str(each) for part in held for each in (part if isinstance(part, list) else [part]))
    return [word for part in parts for word in (part, *part.split())]


def _packed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def covered(document: Document, signatures: Iterable[EmbeddedPdfSignature]) -> tuple[CoveredWords, ...]:
    """Return the words that a signer saw and that the stamp of a later signature stands over. At most the first hundred
    stamps.
    """
    reader = document.reader
    new = reader.get_historical_resolver(reader.total_revisions - 1)
    unseen: dict[tuple[int, str, str], list[str]] = {}
    for signature in signatures:
        if signature.signed_revision >= new.revision:
            continue
        old = reader.get_historical_resolver(signature.signed_revision)
        stamps = {each: stamp.name for each, stamp in later_stamps(old, new).items() if stamp.field}
        with suppress(SuspiciousModification):  # then the document is changed
            for number, (before, after) in enumerate(pages(old.root["/Pages"], new.root["/Pages"], frozenset()), 1):
                for each in stamps.keys() & set(annotations_of(after)):
                    words = covered_words(dictionary_of(before), dictionary_of(each), each)
                    if words and drawing_of(dictionary_of(each)):
                        found = unseen.setdefault((number, " ".join(filter(None, words)), stamps[each]), [])
                        found.append(storable(signature.field_name))
    return tuple(
        CoveredWords(page, storable(words), storable(by), tuple(signers))
        for (page, words, by), signers in list(unseen.items())[:_MOST]
    )


def pages(
    before: DictionaryObject, after: DictionaryObject, above: frozenset[Reference]
) -> Iterator[tuple[Reference, Reference]]:
    """Yield each page, as reference into the older and into the newer revision."""
    kids, new_kids = entry(before, "/Kids"), entry(after, "/Kids")
    if not isinstance(kids, ArrayObject) or not isinstance(new_kids, ArrayObject):
        raise PdfReadError("no list of pages")
    if list(kids) != list(new_kids):
        raise SuspiciousModification("the list of pages was changed")
    for kid, new_kid in zip(kids, new_kids, strict=True):
        if not isinstance(kid, IndirectObject) or kid.reference in above:
            raise PdfReadError("a page is not held by a reference, or holds itself")
        node, new_node = kid.get_object(), new_kid.get_object()
        if not isinstance(new_node, DictionaryObject):
            raise SuspiciousModification("a page was removed")
        if "/Kids" in node:
            yield from pages(node, new_node, above | {kid.reference})
        else:
            yield kid.reference, new_kid.reference


def annotations_of(page: Reference) -> list[Reference]:
    held = entry(dictionary_of(page), "/Annots")
    if held is None:
        return []
    if not isinstance(held, ArrayObject):
        raise PdfReadError("the annotations of a page are no list")
    return [each.reference if isinstance(each, IndirectObject) else each for each in held if _is_held(each)]


def dictionary_of(page: Reference) -> DictionaryObject:
    value = page.get_object()
    if not isinstance(value, DictionaryObject):
        raise PdfReadError("a page is no dictionary")
    return value


def _is_held(annotation: object) -> bool:
    if isinstance(annotation, IndirectObject):
        return True
    raise PdfReadError("an annotation is not held by a reference")
