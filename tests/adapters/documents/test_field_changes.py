"""Fields that were filled when somebody signed, and were filled again later: real PDFs, real signatures."""

from collections.abc import Mapping

import pytest
from pyhanko.sign.fields import MDPPerm

from models.archive.verdict import FieldChange, LaterChange, Outcome
from tests import pdf_updates, pdfs
from tests.adapters.documents.conftest import Judge
from tests.pdf_updates import APPEARANCE, FIELD, appearance, appended, text_field

SEEN = b"(World Health Organisation)"
FORGED = b"(Attacker)"
NEW = 30  # the number of an object that no document of these tests has
REFILLED = {FIELD: text_field(FORGED, NEW), NEW: appearance(FORGED)}


def signed(value: bytes = SEEN, certify: MDPPerm | None = None) -> bytes:
    return pdfs.signed(pdf_updates.document(pdf_updates.form(value)), certify=certify)


def test_field_filled_again_after_an_approval_is_shown_with_the_signer_that_did_not_see_it(judge: Judge) -> None:
    verdict = judge(appended(signed(), REFILLED))

    assert verdict.outcome is Outcome.FIELDS_CHANGED
    assert verdict.field_changes == (FieldChange("Payee", "World Health Organisation", "Attacker", ("First",)),)
    assert [(one.change, one.change_permitted) for one in verdict.signatures] == [(LaterChange.FORM_FILLING, True)]
    assert not verdict.changed_after_signing


def test_signer_who_saw_the_last_value_is_not_named(judge: Judge) -> None:
    verdict = judge(pdfs.signed(appended(signed(), REFILLED), "Second"))

    assert [change.unseen_by for change in verdict.field_changes] == [("First",)]


def test_each_signer_is_named_with_the_value_that_this_signer_saw(judge: Judge) -> None:
    second = pdfs.signed(appended(signed(), REFILLED), "Second")

    verdict = judge(appended(second, {FIELD: text_field(b"(Nobody)", NEW + 9), NEW + 9: appearance(b"(Nobody)")}))

    assert {(change.before, change.after, change.unseen_by) for change in verdict.field_changes} == {
        ("World Health Organisation", "Nobody", ("First",)),
        ("Attacker", "Nobody", ("Second",)),
    }


def test_author_who_permits_form_filling_alone_raises_nothing(judge: Judge) -> None:
    certified = signed(certify=MDPPerm.FILL_FORMS)

    assert judge(appended(certified, REFILLED)).outcome is Outcome.SOUND
    assert [
        change.unseen_by for change in judge(appended(pdfs.signed(certified, "Second"), REFILLED)).field_changes
    ] == [("Second",)]


def test_changed_page_counts_more_than_a_changed_field(judge: Judge) -> None:
    verdict = judge(pdfs.edited(appended(signed(), REFILLED)))

    assert (verdict.outcome, len(verdict.field_changes)) == (Outcome.CHANGED, 1)


@pytest.mark.parametrize("value", [b"null", b"(  )"], ids=["null", "blank"])
def test_field_filled_for_the_first_time_is_sound(judge: Judge, value: bytes) -> None:
    assert judge(appended(signed(value), REFILLED)).outcome is Outcome.SOUND


EMBEDDED = NEW + 1
MISLEADING: Mapping[str, Mapping[int, bytes]] = {
    "another text": {FIELD: text_field(SEEN, NEW), NEW: appearance(FORGED)},
    "another text in place": {APPEARANCE: appearance(FORGED)},
    "another text behind the value": {FIELD: text_field(SEEN, NEW), NEW: appearance(SEEN, b"BT (!) Tj ET")},
    "letters in another order": {FIELD: text_field(SEEN, NEW), NEW: appearance(b"(World Health Organisatino)")},
    "letters as curves": {FIELD: text_field(SEEN, NEW), NEW: appearance(SEEN, b"0 0 1 1 2 2 c " * 40)},
    "letters as rectangles": {FIELD: text_field(SEEN, NEW), NEW: appearance(SEEN, b"0 0 1 1 re f " * 40)},
    "an image": {FIELD: text_field(SEEN, NEW), NEW: appearance(SEEN, b"/Im1 Do")},
    "an image in line": {FIELD: text_field(SEEN, NEW), NEW: appearance(SEEN, b"BI /W 1 /H 1 ID x EI")},
    "invisible text": {FIELD: text_field(SEEN, NEW), NEW: appearance(b"3 Tr " + SEEN)},
    "a font with other letters": {
        FIELD: text_field(SEEN, NEW),
        NEW: appearance(SEEN, font=b"%d 0 R" % EMBEDDED),
        EMBEDDED: b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding <</Differences [87 /A]>>>>",
    },
}


@pytest.mark.parametrize("update", MISLEADING.values(), ids=MISLEADING)
def test_filled_field_that_shows_something_else_than_its_value_is_shown(
    judge: Judge, update: Mapping[int, bytes]
) -> None:
    verdict = judge(appended(signed(), update))

    assert (verdict.outcome, len(verdict.field_changes)) == (Outcome.FIELDS_CHANGED, 1)


def test_filled_field_that_is_hidden_is_a_change(judge: Judge) -> None:
    verdict = judge(appended(signed(), {FIELD: text_field(SEEN, APPEARANCE, b"/F 2")}))

    assert (verdict.outcome, [change.after for change in verdict.field_changes]) == (Outcome.CHANGED, [""])


def test_empty_field_that_shows_a_text_is_shown(judge: Judge) -> None:
    pdf = appended(signed(b"()"), {FIELD: text_field(b"()", NEW), NEW: appearance(FORGED)})

    assert judge(pdf).outcome is Outcome.FIELDS_CHANGED


REBUILT: Mapping[str, Mapping[int, bytes]] = {
    "identically": {FIELD: text_field(SEEN, NEW), NEW: appearance(SEEN)},
    "in place": {APPEARANCE: appearance(SEEN)},
    "with a border": {FIELD: text_field(SEEN, NEW), NEW: appearance(SEEN, b"0 0 228 20 re S")},
    "in hexadecimal": {FIELD: text_field(SEEN, NEW), NEW: appearance(b"<%b>" % SEEN[1:-1].hex().encode())},
    "in lines": {FIELD: text_field(SEEN, NEW), NEW: appearance(b"(World Health) Tj 0 -12 Td (Organisation)")},
    "with kerning": {FIELD: text_field(SEEN, NEW), NEW: appearance(b"[(W) 20 (orld Health Organisation)] TJ ()")},
    "with a font that every viewer has": {
        FIELD: text_field(SEEN, NEW),
        NEW: appearance(SEEN, font=b"%d 0 R" % EMBEDDED),
        EMBEDDED: pdf_updates.FONT,
    },
}


@pytest.mark.parametrize("update", REBUILT.values(), ids=REBUILT)
def test_appearance_that_a_viewer_has_drawn_anew_is_sound(judge: Judge, update: Mapping[int, bytes]) -> None:
    verdict = judge(appended(signed(), update))

    assert (verdict.outcome, verdict.field_changes) == (Outcome.SOUND, ())


def test_hebrew_that_is_drawn_from_its_end_is_sound(judge: Judge) -> None:
    value = b"<FEFF%b>" % "שלום 120".encode("utf-16-be").hex().encode()
    letters = dict(enumerate("120 םולש", start=1))
    table = b"%d beginbfchar\n%b endbfchar" % (
        len(letters),
        b"".join(b"<%04x> <%04x>\n" % (code, ord(letter)) for code, letter in letters.items()),
    )
    font = b"<</Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 10 0 R>>"
    objects = [*pdf_updates.form(value, b"()"), font, pdfs.stream(b"", table)]
    drawn = b"<%b>" % b"".join(b"%04x" % code for code in letters)
    pdf = pdfs.signed(pdf_updates.document(objects))

    rebuilt = {FIELD: text_field(value, NEW), NEW: appearance(drawn, font=b"9 0 R")}
    assert judge(appended(pdf, rebuilt)).outcome is Outcome.SOUND

    other = {FIELD: text_field(value, NEW), NEW: appearance(drawn.replace(b"00010002", b"00020001"), font=b"9 0 R")}
    assert judge(appended(pdf, other)).outcome is Outcome.FIELDS_CHANGED
