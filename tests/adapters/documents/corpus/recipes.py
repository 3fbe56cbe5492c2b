"""Makes the files of the corpus. The name of a file is its recipe: a document, and then each step that changes it."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models.archive.verdict import Outcome
from tests.adapters.documents.corpus import attacks, edits, forms, layouts, shadows, signatures, writers

TABLE = Path(__file__).with_name("table.toml")

DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "form": lambda: layouts.table(forms.form()),
    "xref stream form": lambda: layouts.with_xref_stream(forms.form()),
    "packed form": lambda: layouts.packed(forms.form()),
    "hybrid form": lambda: layouts.hybrid(forms.form()),
    "Acrobat linearized form": lambda: layouts.linearized_by_acrobat(forms.form()),
    "Acrobat linearized packed form": lambda: layouts.linearized_with_streams(forms.form()),
    "qpdf linearized form": lambda: layouts.linearized_by_qpdf(forms.form()),
    "qpdf linearized packed form": lambda: layouts.linearized_by_qpdf(forms.form(), packed=True),
    "RC4-40 form": lambda: layouts.encrypted(forms.form(), 2, is_aes=False),
    "RC4-128 form": lambda: layouts.encrypted(forms.form(), 3, is_aes=False),
    "AES-128 form": lambda: layouts.encrypted(forms.form(), 4, is_aes=True),
    "AES-256 form": lambda: layouts.encrypted(forms.form(), 6, is_aes=True),
    "AES-256 form of 2008": lambda: layouts.encrypted(forms.form(), 5, is_aes=True),
    "form with one name twice": lambda: layouts.table(
        forms.replaced(forms.form(), forms.REMARKS, b"(Remarks)", b"(Amount)")
    ),
    "letter": lambda: layouts.table(forms.letter()),
    "packed letter": lambda: layouts.packed(forms.letter()),
    "Acrobat linearized letter": lambda: layouts.linearized_by_acrobat(forms.letter()),
    "tagged form": lambda: layouts.table(forms.tagged()),
    "nested form": lambda: layouts.table(forms.nested()),
    "dangling form": lambda: layouts.table(forms.dangling()),
    "described form": lambda: layouts.table(forms.described()),
    "LibreOffice form": lambda: layouts.table(forms.form()).replace(
        b"/Root 1 0 R", b"/AdditionalStreams[/application#2Fodt %d 0 R]/Root 1 0 R" % forms.REMARKS
    ),
    "form with a period": lambda: layouts.table(
        forms.replaced(forms.form(), forms.REMARKS, b"(Remarks)", b"(Re.marks)")
    ),
    "Hebrew form": lambda: layouts.table(forms.hebrew()),
    "scanned form": lambda: layouts.table(forms.wrapped_lines()),
    **shadows.DOCUMENTS,
    **writers.DOCUMENTS,
}

ELSEWHERE = Path(__file__).with_name("elsewhere")
DOCUMENTS.update((file.stem, file.read_bytes) for file in ELSEWHERE.glob("*.pdf"))

STEPS: Mapping[str, Callable[[bytes], bytes]] = {
    **signatures.STEPS,
    **edits.STEPS,
    **attacks.STEPS,
    **shadows.STEPS,
    **writers.STEPS,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: a file, and the outcomes that are right for it (mostly one)."""

    name: str
    is_legitimate: bool
    expected: frozenset[Outcome]
    why: str

    @property
    def file_name(self) -> str:
        return re.sub("[^0-9A-Za-z]+", "-", self.name) + ".pdf"


@cache
def rows() -> tuple[Row, ...]:
    return tuple(_rows(tomllib.loads(TABLE.read_text())))


def _rows(table: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Iterator[Row]:
    for kind, by_outcome in table.items():
        for outcomes, files in by_outcome.items():
            for name, why in files.items():
                expected = frozenset(map(Outcome, outcomes.split(" or ")))
                yield Row(name, {"legitimate": True, "forged": False}[kind], expected, why)


@cache
def made(recipe: str) -> bytes:
    """Return the file that the recipe makes. Recipes that begin alike share what they have in common."""
    before, _, step = recipe.rpartition(" + ")
    return STEPS[step](made(before)) if before else DOCUMENTS[step]()
