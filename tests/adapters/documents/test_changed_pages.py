"""What was changed after a signature, drawn by PDFium in the examiner's process."""

from pathlib import Path

import pytest

from adapters.documents.examination import draw_changed_pages
from tests import pdfs
from tests.adapters.documents.test_field_changes import REFILLED, signed
from tests.pdf_updates import appended


@pytest.mark.parametrize(
    ("pdf", "numbers"),
    [
        (appended(signed(), REFILLED), [1]),
        (pdfs.edited(pdfs.signed(pdfs.form())), [1]),
        (pdfs.signed(pdfs.form()), []),
        (pdfs.with_validation_data(pdfs.signed(pdfs.form())), []),
        (b"%PDF-1.7 damaged", []),
    ],
    ids=["field filled again", "text changed", "nothing follows", "archival", "damaged"],
)
def test_pages_that_look_different_since_a_signature_are_drawn_twice(
    tmp_path: Path, pdf: bytes, numbers: list[int]
) -> None:
    (tmp_path / "signed.pdf").write_bytes(pdf)

    assert draw_changed_pages(tmp_path / "signed.pdf", "First", tmp_path) == numbers
    names = [f"{number}-{state}.png" for number in numbers for state in ("now", "signed")]
    assert sorted(each.name for each in tmp_path.glob("*.png")) == names
    assert len({(tmp_path / each).read_bytes() for each in names}) == len(names)


def test_unknown_signature_has_no_pages(tmp_path: Path) -> None:
    (tmp_path / "signed.pdf").write_bytes(pdfs.edited(pdfs.signed(pdfs.form())))

    assert draw_changed_pages(tmp_path / "signed.pdf", "Second", tmp_path) == []
