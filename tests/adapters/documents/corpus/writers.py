"""Signs as other writers do: iText, Acrobat, PDFBox and old programs. Everything is written byte by byte."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.adapters.documents.corpus import forms, layouts
from tests.adapters.documents.corpus.cms_values import signature_value
from tests.adapters.documents.corpus.forms import APPROVAL, FORM, Objects
from tests.adapters.documents.corpus.identities import time_stamper
from tests.adapters.documents.corpus.writing import appended, field, size, startxref
from tests.pdfs import writer_of

_ROOM = 8192
_RANGE_ROOM = b"[0 " + b"*" * 32 + b"]"


@dataclass(frozen=True)
class Kind:
    """How a signature is made. `type_entry` is the /Type of its dictionary, empty for none."""

    by: str = "ec"
    digest: str = "sha256"
    type_entry: bytes = b"/Type/Sig"
    sub_filter: bytes = b"adbe.pkcs7.detached"
    says_digest: bool = False
    has_attributes: bool = True
    is_time_stamp: bool = False
    stamps_other_data: bool = False
    at: bytes = b"20260301100000Z"


def empty_signature(kind: Kind) -> bytes:
    return b"<<%b/Filter/Adobe.PPKLite/SubFilter/%b/ByteRange %b/Contents <%b>/M(D:%b)>>" % (
        kind.type_entry,
        kind.sub_filter,
        _RANGE_ROOM,
        b"0" * _ROOM,
        kind.at,
    )


def sealed(pdf: bytes, kind: Kind) -> bytes:
    """Fill in the range and the value of the signature whose room is empty."""
    start = pdf.index(b"<" + b"0" * _ROOM + b">")
    end = start + _ROOM + 2
    text = b"[0 %d %d %d" % (start, end, len(pdf) - end)
    pdf = pdf.replace(_RANGE_ROOM, text.ljust(len(_RANGE_ROOM) - 1) + b"]")
    data = pdf[:start] + pdf[end:]
    value = _token(data, kind) if kind.is_time_stamp else _value(data, kind)
    return pdf[: start + 1] + value.hex().encode().ljust(_ROOM, b"0") + pdf[end - 1 :]


def _value(data: bytes, kind: Kind) -> bytes:
    return signature_value(data, kind.by, kind.digest, has_attributes=kind.has_attributes, says_digest=kind.says_digest)


def _token(data: bytes, kind: Kind) -> bytes:
    stamped = b"something else" if kind.stamps_other_data else data
    token: bytes = asyncio.run(time_stamper().async_timestamp(hashlib.sha256(stamped).digest(), "sha256")).dump()
    return token


def with_signature(objects: Objects, kind: Kind, *, is_direct: bool = False) -> Objects:
    """Put an empty signature into the field Approval, directly or by a reference."""
    number = max(objects) + 1
    value = empty_signature(kind) if is_direct else b"%d 0 R" % number
    objects = forms.replaced(objects, APPROVAL, b"/FT/Sig", b"/FT/Sig/V %b" % value)
    objects = forms.replaced(objects, FORM, b"/Fields", b"/SigFlags 3/Fields")
    return objects if is_direct else {**objects, number: empty_signature(kind)}


def saved_signed(
    kind: Kind = Kind(),
    *,
    layout: Callable[[Objects], bytes] = layouts.table,
    is_direct: bool = False,
) -> bytes:
    """Write the form with its signature in its first revision, as PDFBox, iText and Acrobat do in a full save."""
    return sealed(layout(with_signature(forms.form(), kind, is_direct=is_direct)), kind)


def signed_by_update(pdf: bytes, name: bytes, kind: Kind, *, freed: Mapping[int, int] | None = None) -> bytes:
    """Sign in a further field, by an update with a table. Works for files that have the form's numbers."""
    form, page = _last(pdf, FORM), _last(pdf, forms.PAGE)
    number = size(pdf)
    field = forms.widget(b"Sig", name, 40, b"/V %d 0 R" % (number + 1)).replace(b"[72 40 272 60]", b"[0 0 0 0]")
    objects = {
        FORM: re.sub(rb"/Fields ?\[", b"/Fields[%d 0 R " % number, form),
        forms.PAGE: re.sub(rb"/Annots ?\[", b"/Annots[%d 0 R " % number, page),
        number: field,
        number + 1: empty_signature(kind),
    }
    return sealed(appended(pdf, objects, freed=freed), kind)


def stamped_over(
    pdf: bytes, drawing: bytes, image: bytes | None = None, stated: bytes = b"", masked: bytes = b""
) -> bytes:
    """Sign in a further field that stands over the text of the page. `image`: the mask of an image of two points.
    `stated` and `masked` are further entries of the signature, and of the mask.
    """
    number = size(pdf)
    value, field, drawn, picture, mask = range(number, number + 5)
    dots = b"/Type/XObject/Subtype/Image/Width 2/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8"
    resources = b"/Resources<</Font<</Helv %d 0 R>>/XObject<</Im %d 0 R>>>>" % (forms.FONT, picture)
    place = forms.widget(b"Sig", b"Second", 40, b"/V %d 0 R/AP<</N %d 0 R>>" % (value, drawn))
    objects = {
        FORM: re.sub(rb"/Fields ?\[", b"/Fields[%d 0 R " % field, _last(pdf, FORM)),
        forms.PAGE: re.sub(rb"/Annots ?\[", b"/Annots[%d 0 R " % field, _last(pdf, forms.PAGE)),
        value: empty_signature(Kind())[:-2] + stated + b">>",
        field: place.replace(b"[72 40 272 60]", b"[60 690 400 740]"),
        drawn: forms.stream(b"/Type/XObject/Subtype/Form/BBox[0 0 340 50]%b" % resources, drawing),
        picture: forms.stream(dots + (b"/SMask %d 0 R" % mask if image else b""), b"\0\0"),
        mask: forms.stream(dots + masked, image or b""),
    }
    return sealed(appended(pdf, objects), Kind())


def signed_again_tagged(pdf: bytes, *, tree: Callable[[int, int], Objects] | None = None) -> bytes:
    """Sign the tagged form in a further field that has an element in the structure tree, as Acrobat does.

    `tree` returns the objects of another parent tree, by its own number and that of the new element.
    """
    number = size(pdf)
    value, field, element = number, number + 1, number + 2
    widget = forms.widget(b"Sig", b"Second", 40, b"/StructParent 2/V %d 0 R" % value).replace(
        b"[72 40 272 60]", b"[0 0 0 0]"
    )
    objects = {
        FORM: re.sub(rb"/Fields ?\[", b"/Fields[%d 0 R " % field, _last(pdf, FORM)),
        forms.PAGE: re.sub(rb"/Annots ?\[", b"/Annots[%d 0 R " % field, _last(pdf, forms.PAGE)),
        value: empty_signature(Kind()),
        field: widget,
        element: b"<</Type/StructElem/S/Form/P 16 0 R/Pg %d 0 R/K<</Type/OBJR/Obj %d 0 R>>>>" % (forms.PAGE, field),
        15: _last(pdf, 15).replace(b"/ParentTreeNextKey 2", b"/ParentTreeNextKey 3"),
        16: _last(pdf, 16).replace(b"18 0 R]", b"18 0 R %d 0 R]" % element),
        19: _last(pdf, 19).replace(b"]>>", b" 2 %d 0 R]>>" % element),
    }
    if tree:
        del objects[19]
        objects[15] = objects[15].replace(b"19 0 R", b"%d 0 R" % (element + 1))
        objects |= tree(element + 1, element)
    return sealed(appended(pdf, objects), Kind())


def _parent_tree(text: bytes = b"17 0 R") -> Callable[[int, int], Objects]:
    return lambda number, element: {
        number: b"<</Kids[%d 0 R]>>" % (number + 1),
        number + 1: b"<</Limits[0 2]/Nums[0[%b]1 18 0 R 2 %d 0 R]>>" % (text, element),
    }


def _in_both_sections(pdf: bytes) -> bytes:
    """Repeat the last table in a cross-reference stream, as PDFBox does in hybrid files."""
    at, number = startxref(pdf), size(pdf)
    rows = re.findall(rb"(\d+) 1\n(\d{10}) 00000 n", pdf[at:])
    head = b"/Type/XRef/W[1 4 2]/Size %d/Root 1 0 R/Index[%b]" % (
        number + 1,
        b" ".join(each + b" 1" for each, _ in rows),
    )
    packed = b"".join(b"\1" + int(place).to_bytes(4) + b"\0\0" for _, place in rows)
    section = b"%d 0 obj\n%b\nendobj\n" % (number, forms.stream(head, packed))
    table = re.sub(rb"/Size \d+", b"/XRefStm %d/Size %d" % (at, number + 1), pdf[at:])
    return pdf[:at] + section + table.replace(b"startxref\n%d" % at, b"startxref\n%d" % (at + len(section)))


def _last(pdf: bytes, number: int) -> bytes:
    found: bytes = re.findall(rb"(?:\A|[\r\n])%d 0 obj\s*(.*?)\s*endobj" % number, pdf, re.DOTALL)[-1]
    return found


def filled_by_update(pdf: bytes, *, freed: Mapping[int, int] | None = None, number: int = forms.REMARKS) -> bytes:
    """Fill Remarks for the first time, or refill Amount, as iText does: by an update that also lists freed entries."""
    drawing = size(pdf)
    value, old = (b"/V(Paid)", b"/V()") if number == forms.REMARKS else (b"/V(900)", b"/V(100)")
    field = re.sub(rb"/AP<<.*?>>", b"", _last(pdf, number)).replace(old, value + b"/AP<</N %d 0 R>>" % drawing)
    return appended(pdf, {number: field, drawing: forms.shown(value[3:-1])}, freed=freed)


def _with_empty_rich_text(pdf: bytes) -> bytes:
    """Leave an empty text without encryption, as MuPDF does."""
    held: Any = field(writer_of(pdf), "Remarks").container_ref
    number: int = held.idnum
    return appended(pdf, {number: _last(pdf, number)[:-2] + b"/RV()>>"})


def _with_free_entries(objects: Objects) -> bytes:
    """Write the form by iText, whose first table lists unused numbers as free."""
    pdf = layouts.table({**objects, 15: b"null", 16: b"null"})
    return re.sub(rb"(\d{10} 00000 n \n){2}(?=trailer)", b"0000000016 00001 f \n0000000000 00001 f \n", pdf)


def _with_free(kind: Kind) -> bytes:
    objects = forms.replaced(forms.form(), APPROVAL, b"/FT/Sig", b"/FT/Sig/V 17 0 R")
    pdf = layouts.table({**objects, 15: b"null", 16: b"null", 17: empty_signature(kind)})
    free = b"0000000016 00001 f \n0000000000 00001 f \n"
    return sealed(re.sub(rb"(?:\d{10} 00000 n \n){2}(\d{10} 00000 n \n)(?=trailer)", free + rb"\1", pdf), kind)


_WHO = b"BT /Helv 9 Tf 2 30 Td (Digitally signed by Signer ec) Tj 0 -12 Td (Date: 2026.03.01 10:00:00 +00'00') Tj ET"
_BOX = b"1 g 0 0 340 50 re f 0 g "
_IMAGE = b" q 340 0 0 50 0 0 cm /Im Do Q"
_FREED = {0: 65535, 15: 1, 16: 1}
_STAMP = Kind(sub_filter=b"ETSI.RFC3161", is_time_stamp=True, type_entry=b"/Type/DocTimeStamp")
_CRLF_END = re.compile(rb"%%EOF\n\Z")

DOCUMENTS: Mapping[str, Callable[[], bytes]] = {
    "saved signed": saved_signed,
    "saved signed, xref stream": partial(saved_signed, layout=layouts.with_xref_stream),
    "saved signed, hybrid": partial(saved_signed, layout=layouts.hybrid),
    "saved signed, Acrobat linearized and packed": partial(saved_signed, layout=layouts.linearized_with_streams),
    "saved signed, Acrobat linearized": partial(saved_signed, layout=layouts.linearized_by_acrobat),
    "saved signed directly": partial(saved_signed, is_direct=True),
    "saved signed, RSA with SHA3-256": partial(saved_signed, Kind("rsa", "sha3_256")),
    "saved signed, RSA with SHA3-256 named": partial(saved_signed, Kind("rsa", "sha3_256", says_digest=True)),
    "saved signed, RSA with SHA-512": partial(saved_signed, Kind("rsa", "sha512", says_digest=True)),
    "saved signed, RSA with SHA-1": partial(saved_signed, Kind("rsa", "sha1", says_digest=True)),
    "saved signed, negative modulus": partial(saved_signed, Kind("negative", says_digest=True)),
    "saved signed, Ed25519": partial(saved_signed, Kind("ed25519", "sha512")),
    "saved signed, no attributes": partial(saved_signed, Kind("rsa", has_attributes=False)),
    "saved signed, LibreOffice's date": partial(
        saved_signed, Kind("rsa", has_attributes=False, at=b"20260301100000Z'")
    ),
    "saved signed, no type": partial(saved_signed, Kind(type_entry=b"")),
    "saved signed, wrong digest": lambda: saved_signed().replace(b"I owe you 100", b"I owe you 900"),
    "saved with a CRLF end": lambda: sealed(
        _CRLF_END.sub(b"%%EOF\r\n\r\n", layouts.table(with_signature(forms.form(), Kind()))), Kind()
    ),
    "saved without a newline at the end": lambda: sealed(
        layouts.table(with_signature(forms.form(), Kind())).rstrip(b"\n"), Kind()
    ),
    "iText form with free entries": lambda: _with_free_entries(forms.form()),
    "iText signed form with free entries": lambda: _with_free(Kind()),
}

STEPS: Mapping[str, Callable[[bytes], bytes]] = {
    "signed again by an update": partial(signed_by_update, name=b"Second", kind=Kind("rsa", says_digest=True)),
    "signed again, tagged": signed_again_tagged,
    "stamped over the text": partial(stamped_over, drawing=_BOX + _WHO),
    "stamped over the text by a written signature": partial(stamped_over, drawing=_WHO + _IMAGE, image=b"\x00\x60"),
    "stamped over the text to be seen through": partial(
        stamped_over, drawing=b"BT /Helv 9 Tf 2 30 Td (Approved for payment by the board) Tj ET"
    ),
    "stamped over the text by an amount": partial(
        stamped_over, drawing=_BOX + b"BT /Helv 12 Tf 12 30 Td (I owe you 900) Tj ET"
    ),
    "stamped over the text by nothing": partial(stamped_over, drawing=_BOX),
    "stamped over the text by a picture": partial(stamped_over, drawing=_WHO + _IMAGE),
    "stamped over the text with a line more": partial(
        stamped_over, drawing=_BOX + _WHO + b" BT /Helv 12 Tf 12 3 Td (I owe you 900) Tj ET"
    ),
    "signed again by iText": partial(signed_by_update, name=b"Second", kind=Kind("rsa"), freed=_FREED),
    "time stamp of type Sig": partial(
        signed_by_update, name=b"Stamp", kind=Kind(sub_filter=b"ETSI.RFC3161", is_time_stamp=True)
    ),
    "time stamp of no type": partial(
        signed_by_update, name=b"Stamp", kind=Kind(sub_filter=b"ETSI.RFC3161", is_time_stamp=True, type_entry=b"")
    ),
    "time stamp of its type": partial(signed_by_update, name=b"Stamp", kind=_STAMP),
    "time stamp of something else": partial(
        signed_by_update,
        name=b"Stamp",
        kind=Kind(
            sub_filter=b"ETSI.RFC3161", is_time_stamp=True, type_entry=b"/Type/DocTimeStamp", stamps_other_data=True
        ),
    ),
    "Remarks filled by an update": filled_by_update,
    "Amount refilled by an update": partial(filled_by_update, number=forms.AMOUNT),
    "signed again, with another parent tree": partial(signed_again_tagged, tree=_parent_tree()),
    "signed again, with another element of the text": partial(signed_again_tagged, tree=_parent_tree(b"18 0 R")),
    "Remarks with an empty rich text": _with_empty_rich_text,
    "Remarks filled by PDFBox": lambda pdf: _in_both_sections(filled_by_update(pdf)),
    "Remarks filled before startxref": lambda pdf: re.sub(
        rb">>\nstartxref\n(\d+)\n%%EOF\n\Z", rb">>startxref \1\n%%EOF\n", filled_by_update(pdf)
    ),
    "validation data of its own form": lambda pdf: appended(
        pdf,
        {
            forms.CATALOGUE: _last(pdf, forms.CATALOGUE)[:-2] + b"/DSS 60 0 R>>",
            60: b"<</Certs 61 0 R/XY_More 61 0 R/VRI<</%b<</Cert 61 0 R/XY_At(now)>>>>>>" % (b"a" * 64),
            61: forms.stream(b"", b"x"),
        },
    ),
    "page in the validation data": lambda pdf: appended(
        pdf,
        {
            forms.CATALOGUE: _last(pdf, forms.CATALOGUE)[:-2] + b"/DSS<</Certs[%d 0 R]>>>>" % forms.CONTENT,
            forms.CONTENT: forms.stream(b"", b"0 0 595 842 re f"),
        },
    ),
    "Remarks filled by iText": partial(filled_by_update, freed=_FREED),
    "Amount refilled by iText": partial(filled_by_update, freed=_FREED, number=forms.AMOUNT),
    "entries freed again": lambda pdf: appended(pdf, {}, freed=_FREED),
    "form freed": lambda pdf: appended(pdf, {}, freed={0: 65535, forms.AMOUNT: 1}),
}
