# mypy: disable-error-code="no-untyped-call"
"""Fields that keep their value after somebody has signed, and show something else: real PDFs, real signatures."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pyhanko.pdf_utils.generic import BooleanObject, IndirectObject, NumberObject, TextStringObject

from models.archive.verdict import Outcome
from tests.adapters.documents.conftest import Judge
from tests.adapters.documents.corpus import forms, layouts
from tests.adapters.documents.corpus.edits import appearance, font_named, ticked
from tests.adapters.documents.corpus.recipes import made
from tests.adapters.documents.corpus.signatures import signed
from tests.adapters.documents.corpus.writing import Writer, field, names
from tests.pdfs import updated

Make = Callable[[], bytes]

_SPARE = 15


def form(**replacements: tuple[int, bytes, bytes]) -> bytes:
    objects: Any = {**forms.form(), _SPARE: forms.shown(b"900")}
    for number, old, new in replacements.values():
        objects = forms.replaced(objects, number, old, new)
    return signed(layouts.table(objects))


def hidden() -> bytes:
    return form(hidden=(forms.AMOUNT, b"/F 4", b"/F 2"))


def contradictory() -> bytes:
    """Return a form whose amount is 900, and is drawn as 100."""
    return form(value=(forms.AMOUNT, b"/V(100)", b"/V(900)"))


def drawn_as(value: bytes, drawing: bytes) -> bytes:
    objects = forms.replaced(forms.form(), forms.AMOUNT, b"/V(100)", b"/V(%b)" % value)
    return signed(layouts.table({**objects, forms.AMOUNT_SHOWN: forms.shown(drawing)}))


def changed(pdf: bytes, name: str = "Amount", **entries: Any) -> bytes:
    """Change the entries of a field; None removes an entry, and a function makes it."""

    def change(writer: Writer) -> None:
        found = field(writer, name)
        for key, value in entries.items():
            if value is None:
                del found[f"/{key}"]
            else:
                found[f"/{key}"] = value(writer) if callable(value) else value

    return updated(pdf, change)


def redrawn(pdf: bytes, drawing: bytes) -> bytes:
    return changed(pdf, AP=lambda writer: names(N=appearance(writer, drawing, (200, 20))))


def left_to_viewers(pdf: bytes) -> bytes:
    def leave(writer: Writer) -> None:
        writer.root["/AcroForm"]["/NeedAppearances"] = BooleanObject(True)
        writer.update_container(writer.root["/AcroForm"])

    return updated(pdf, leave)


def in_white(pdf: bytes) -> bytes:
    """Let the form draw in white where a field does not say otherwise."""

    def set_style(writer: Writer) -> None:
        writer.root["/AcroForm"]["/DA"] = TextStringObject("/Helv 12 Tf 1 g")
        writer.update_container(writer.root["/AcroForm"])

    return updated(pdf, set_style)


def with_form_font(pdf: bytes, key: str, font: str) -> bytes:
    def add(writer: Writer) -> None:
        resources = writer.root["/AcroForm"]["/DR"]
        resources["/Font"] = names(**{**{"Helv": resources["/Font"].raw_get("/Helv")}, key: _added(writer, font)})
        writer.update_container(writer.root["/AcroForm"])

    return updated(pdf, add)


def _added(writer: Writer, font: str) -> Any:
    return writer.add_object(font_named(font))


def pressed_in_appearance(pdf: bytes) -> bytes:
    """Draw the pressed button also for the state in which it is not pressed."""

    def draw(writer: Writer) -> None:
        button = field(writer, "Agreed")
        drawn = button["/AP"]["/N"].raw_get("/Yes")
        button["/AP"] = names(N=names(Yes=drawn, Off=drawn))

    return updated(pdf, draw)


def amount(drawing: bytes) -> bytes:
    return b"/Tx BMC q %b Q EMC" % drawing


FORGED: Mapping[str, Make] = {
    "a hidden field is shown": lambda: changed(hidden(), F=NumberObject(4)),
    "the drawing of another object": lambda: changed(form(), AP=lambda file: names(N=IndirectObject(_SPARE, 0, file))),
    "a contradictory drawing is removed": lambda: changed(contradictory(), AP=None),
    "a contradictory drawing is left to viewers": lambda: left_to_viewers(contradictory()),
    "ten is drawn as a thousand": lambda: left_to_viewers(drawn_as(b"10", b"1000")),
    "a drawing is left to viewers in white": lambda: changed(form(), DA=TextStringObject("/Helv 12 Tf 1 g"), AP=None),
    "the form draws in white": lambda: in_white(
        form(plain=(forms.AMOUNT, b"/DA(/Helv 12 Tf 0 g)/V(100)/AP<</N %d 0 R>>" % forms.AMOUNT_SHOWN, b"/V(100)"))
    ),
    "a drawing is left to viewers as a password": lambda: changed(form(), Ff=NumberObject(1 << 13), AP=None),
    "white text": lambda: redrawn(form(), amount(b"BT 1 1 1 rg /Helv 12 Tf 2 5 Td (100) Tj ET")),
    "painted over": lambda: redrawn(form(), amount(b"BT /Helv 12 Tf 2 5 Td (100) Tj ET 1 g 0 0 200 20 re f")),
    "beside its box": lambda: redrawn(form(), amount(b"BT /Helv 12 Tf 2000 5 Td (100) Tj ET")),
    "a digit beside its box": lambda: redrawn(form(), amount(b"BT /Helv 12 Tf 2 5 Td (10) Tj 500 0 Td (0) Tj ET")),
    "too small": lambda: redrawn(form(), amount(b"BT /Helv 0.5 Tf 2 5 Td (100) Tj ET")),
    "a button that looks pressed": lambda: pressed_in_appearance(form()),
    "a pressed button without a drawing": lambda: changed(signed(ticked(made("form"))), "Agreed", AP=None),
}

SOUND: Mapping[str, Make] = {
    "the same drawing": lambda: redrawn(form(), amount(b"BT 0 g /Helv 12 Tf 2 5 Td (100) Tj ET")),
    "a background below the text": lambda: redrawn(
        form(), b"0.9 g 0 0 200 20 re f /Tx BMC q BT 0 g /Helv 12 Tf 2 5 Td (100) Tj ET Q EMC"
    ),
    "a drawing is removed": lambda: changed(form(), AP=None),
    "drawings are left to viewers": lambda: left_to_viewers(form()),
    "an amount with its currency": lambda: left_to_viewers(drawn_as(b"1000.5", b"$ 1,000.50")),
    "a date in another order": lambda: left_to_viewers(drawn_as(b"2026-01-31", b"31/01/2026")),
    "a font is added to the form": lambda: with_form_font(form(), "Other", "Symbol"),
    "the same font again": lambda: with_form_font(form(), "Helv", "Helvetica"),
}


@pytest.mark.parametrize("name", FORGED)
def test_field_that_shows_something_else_than_its_signer_saw_is_changed(judge: Judge, name: str) -> None:
    assert judge(FORGED[name]()).outcome is Outcome.FIELDS_CHANGED


@pytest.mark.parametrize("name", SOUND)
def test_field_that_shows_the_same_is_sound(judge: Judge, name: str) -> None:
    assert judge(SOUND[name]()).outcome is Outcome.SOUND


def test_other_font_under_the_name_of_a_font_of_the_form_is_a_change(judge: Judge) -> None:
    assert judge(with_form_font(form(), "Helv", "Symbol")).outcome is Outcome.CHANGED
