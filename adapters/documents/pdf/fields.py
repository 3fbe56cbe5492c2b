"""Finds the form fields that were filled when somebody signed, and were filled again later.

A signature permits it (ISO 32000-2, 12.8.2), and yet the page shows a text that its signer has not seen.
"""

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pyhanko.pdf_utils.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    NameObject,
    Reference,
    StreamObject,
)
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from adapters.documents.pdf.appearance import (
    Drawing,
    drawing_of,
    is_hidden,
    is_pale,
    numbers_of,
    operations_of,
    shown_stream,
)
from adapters.documents.pdf.document import TWIN, Document, all_fields, entry
from adapters.documents.pdf.drawn_words import RIGHT_TO_LEFT
from adapters.documents.pdf.fonts import is_of_every_viewer
from adapters.documents.pdf.page_text import cut_off_words
from adapters.documents.trust.certificates import storable
from models.archive.verdict import FieldChange

_OFF = "Off"
_MOST_CHANGES = 100
_MOST_OF_A_BORDER = 8  # lines or curves
_NUMBER = re.compile(r"\d[\d.,]*")
_TAG = re.compile(r"<[^>]*>")
_AMOUNT = re.compile(r"([\d.,]*?)(?:[.,](\d{1,2}))?")
_PARTS_OF_A_DATE = 3
_PASSWORD = 1 << 13
_LEAST_SIZE = 2  # points; 0 lets a viewer choose


@dataclass(slots=True)
class _Field:
    kind: object = None
    value: str = ""
    widgets: list[DictionaryObject] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    is_drawn_by_viewers: bool = False
    style: object = None

    @property
    def states(self) -> list[str]:
        return [_text(entry(widget, "/AS")) for widget in self.widgets]

    @property
    def is_filled(self) -> bool:
        return bool(self.value.strip()) and self.value != _OFF


def field_changes(document: Document, signatures: Iterable[EmbeddedPdfSignature]) -> tuple[FieldChange, ...]:
    """Return the fields that show another value now than when a signer signed. At most the first hundred.

    An author who certifies a document permits the filling of its fields explicitly, and a time stamp approves nothing.
    """
    reader = document.reader
    last = reader.total_revisions - 1
    fields_in = cache(lambda revision: _fields(reader.get_historical_resolver(revision)))
    unseen: dict[tuple[str, str, str], list[str]] = {}
    for signature in signatures:
        signed = signature.signed_revision
        if signed >= last or not _approves(signature):
            continue
        for name, before in fields_in(signed).items():
            after = fields_in(last).get(name)
            change = _change(document, signed, before, after) if after else None
            if change:
                unseen.setdefault((name, *change), []).append(storable(signature.field_name))
    changes = list(unseen.items())[:_MOST_CHANGES]
    return tuple(
        FieldChange(storable(name.partition(TWIN)[0]), storable(before), storable(after), tuple(signers))
        for (name, before, after), signers in changes
    )


def _approves(signature: EmbeddedPdfSignature) -> bool:
    is_time_stamp = entry(signature.sig_object, "/SubFilter") == "/ETSI.RFC3161"
    references = entry(signature.sig_object, "/Reference") or ()
    methods = [entry(each.get_object(), "/TransformMethod") for each in references]
    return not is_time_stamp and "/DocMDP" not in methods


def _fields(handler: PdfHandler) -> Mapping[str, _Field]:
    fields: dict[str, _Field] = {}
    for name, node, kind in all_fields(handler):
        if kind == "/Sig":
            continue
        known = fields.setdefault(name, _Field())
        known.kind = known.kind or kind
        known.value = known.value or _value(node)
        known.options |= _options(entry(node, "/Opt"))
        if "/Rect" in node:
            known.widgets.append(node)
    form: Any = entry(handler.root, "/AcroForm") or {}
    for each in fields.values():
        each.style = entry(form, "/DA") if form else None
        each.is_drawn_by_viewers = bool(entry(form, "/NeedAppearances"))
        if not each.value and each.kind == "/Btn":
            each.value = ", ".join(sorted({state for state in each.states if state not in ("", _OFF)}))
    return fields


def _value(node: DictionaryObject) -> str:
    """Return the value of a field as text. Rich text comes behind it, if it says something else."""
    plain = _text(entry(node, "/V"))
    rich = html.unescape(_TAG.sub("", _text(entry(node, "/RV")))).strip()
    return f"{plain} ({rich})" if rich and _packed(rich) != _packed(plain) else plain


def _text(value: Any) -> str:
    if isinstance(value, ArrayObject):
        return ", ".join(_text(value[place]) for place in range(len(value)))
    if isinstance(value, StreamObject):
        return value.data.decode("utf-8", "replace")
    if isinstance(value, NameObject):
        return str(value).removeprefix("/")
    if isinstance(value, ByteStringObject):
        return bytes(value).decode("latin-1")
    return "" if value is None or isinstance(value, DictionaryObject) else str(value)


def _options(options: Any) -> dict[str, str]:
    """Return the texts that a list shows, by the values that stand for them."""
    pairs = [options[place] for place in range(len(options))] if isinstance(options, ArrayObject) else []
    return {_text(pair[0]): _text(pair[1]) for pair in pairs if isinstance(pair, ArrayObject) and len(pair) == 2}


def _change(document: Document, signed: int, before: _Field, after: _Field) -> tuple[str, str] | None:
    """Return what a field showed when somebody signed, and what it shows now. None if it shows the same.

    A field that was empty is filled for the first time, unless its value is still empty, and it shows something.
    """
    if before.is_filled:
        if _packed(before.value) != _packed(after.value):
            return before.value, after.value
        for old_state, new_state in zip(before.states, after.states, strict=False):
            if old_state and new_state and old_state != new_state:
                return old_state, new_state
    elif after.is_filled:
        return None
    changes = (
        _change_of_widget(document, signed, widgets, (before, after))
        for widgets in zip(before.widgets, after.widgets, strict=False)
    )
    return next((change for change in changes if change), None)


def _change_of_widget(
    document: Document, signed: int, widgets: tuple[DictionaryObject, DictionaryObject], fields: tuple[_Field, _Field]
) -> tuple[str, str] | None:
    (old, new), (before, after) = widgets, fields
    if is_hidden(new) and not is_hidden(old):
        return before.value, ""
    drawing = drawing_of(new) or Drawing()
    if is_hidden(old) and not is_hidden(new) and (before.is_filled or any(drawing.signs)):
        return "", after.value
    if _shows_the_same(document, signed, widgets, fields):
        return None
    old_drawing = drawing_of(old)
    is_left_to_viewers = shown_stream(new) is None or after.is_drawn_by_viewers
    return old_drawing.text if old_drawing else before.value, after.value if is_left_to_viewers else drawing.text


def _shows_the_same(
    document: Document, signed: int, widgets: tuple[DictionaryObject, DictionaryObject], fields: tuple[_Field, _Field]
) -> bool:
    """Return whether a widget shows the same text as before, or the value of its field.

    A viewer may draw the appearance anew, with another layout. Letters may also be drawn as curves or images, and a
    font that was added later may draw other letters than it states.
    """
    before, after = fields
    stream, old_stream = shown_stream(widgets[1]), shown_stream(widgets[0])
    is_button = after.kind == "/Btn"
    if stream is None or (after.is_drawn_by_viewers and not before.is_drawn_by_viewers and not is_button):
        return _viewers_show_the_same(widgets, fields, is_button=is_button)
    is_same = old_stream is not None and stream.container_ref == old_stream.container_ref
    if is_same and _is_old(document, signed, stream.container_ref):
        return True
    old, new = drawing_of(widgets[0]) or Drawing(), drawing_of(widgets[1]) or Drawing()
    if is_button and old_stream is not None:
        return old.signs == new.signs
    values = {after.value, after.options.get(after.value, "")}
    was_value = not old.text.strip() or any(_bare(old.text) == _bare(value) for value in values)
    texts = {old.text} | (values if was_value else set())
    return (
        any(_reads_the_same(text, new.text) for text in texts if text.strip() or not old.text.strip())
        and not (new.hides_text and not old.hides_text)
        and not _cuts_off(old_stream, stream, has_number=any(map(str.isdigit, new.text)))
        and new.images <= old.images
        and new.curves <= max(old.curves, _MOST_OF_A_BORDER)
        and new.lines <= max(old.lines, _MOST_OF_A_BORDER)
        and all(_is_old(document, signed, font) or is_of_every_viewer(described) for font, described in new.fonts)
    )


def _cuts_off(old: StreamObject | None, new: StreamObject, *, has_number: bool) -> bool:
    """Return whether a field no longer shows its words. A long text may flow out of its field, a number may not."""
    if old is not None and any(cut_off_words(old)):
        return False
    cut_off = cut_off_words(new)
    return any(cut_off) if has_number else bool(cut_off) and all(cut_off)


def _viewers_show_the_same(
    widgets: tuple[DictionaryObject, DictionaryObject], fields: tuple[_Field, _Field], *, is_button: bool
) -> bool:
    """Return whether viewers, which draw a widget by its value, show what its appearance showed."""
    (old, new), (before, after) = widgets, fields
    drawing = drawing_of(old)
    if is_button:
        return drawing is None or not any(drawing.signs)
    if after.is_filled and _is_legible(old, before.style) and not _is_legible(new, after.style):
        return False
    return drawing is None or any(
        _stands_for(drawing.text, each) for each in (after.value, after.options.get(after.value, ""))
    )


def _is_legible(widget: DictionaryObject, style: object) -> bool:
    """Return whether a viewer draws the value of a widget in letters, of a size and a color that can be read.

    `style`: the default appearance of the form, for a widget without its own.
    """
    flags = entry(widget, "/Ff")
    if isinstance(flags, int) and flags & _PASSWORD:
        return False
    for token, operands in operations_of(_text(entry(widget, "/DA") or style).encode("latin-1", "replace")):
        numbers = numbers_of(operands)
        if is_pale(token, operands) if token in (b"g", b"rg", b"k") else token == b"Tf" and _is_tiny(numbers):
            return False
    return True


def _is_tiny(numbers: list[float]) -> bool:
    return bool(numbers) and 0 < abs(numbers[-1]) < _LEAST_SIZE


def _stands_for(drawn: str, value: str) -> bool:
    """Return whether a drawn text is a value, maybe with a currency or decimals, or as a date in another order."""
    return (
        _reads_the_same(_bare(drawn), _bare(value))
        or _amount(drawn) == _amount(value) != ("", "")
        or (_date(drawn) == _date(value) and len(_date(value)) == _PARTS_OF_A_DATE)
    )


def _amount(text: str) -> tuple[str, str]:
    """Return the digits of a number before and behind its decimal sign, without zeros that say nothing."""
    found = _AMOUNT.fullmatch(re.sub(r"[^\d.,]", "", text).strip(".,"))
    return (re.sub(r"\D", "", found[1]).lstrip("0"), (found[2] or "").rstrip("0")) if found else ("", "")


def _date(text: str) -> list[int]:
    return sorted(map(int, re.findall(r"\d{1,4}", text)))


def _is_old(document: Document, signed: int, reference: Any) -> bool:
    return isinstance(reference, Reference) and document.reader.xrefs.get_last_change(reference) <= signed


def _reads_the_same(text: str, other: str) -> bool:
    """Return whether two texts have the same letters in the same order. Text from right to left may be drawn from its
    end, or in parts, so only its letters and its numbers are compared.
    """
    text, other = _packed(text), _packed(other)
    if not RIGHT_TO_LEFT.search(text):
        return text == other
    return sorted(text) == sorted(other) and sorted(_NUMBER.findall(text)) == sorted(_NUMBER.findall(other))


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _packed(text: str) -> str:
    return "".join(text.split())
