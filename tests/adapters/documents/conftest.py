"""A real examination of PDFs, for the tests of the verdict."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.documents.examination import examine
from models.archive.verdict import Verdict
from tests import pdfs

Judge = Callable[..., Verdict]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Return a function that writes a PDF, its root certificates and a trust list, and examines the PDF."""

    def _judge(
        pdf: bytes, roots: Sequence[pdfs.Identity] = (), now: datetime | None = None, trusted: str | None = None
    ) -> Verdict:
        (tmp_path / "signed.pdf").write_bytes(pdf)
        files = [tmp_path / f"root-{number}.pem" for number in range(len(roots))]
        for file, root in zip(files, roots, strict=True):
            file.write_bytes(root.pem)
        lists = [tmp_path / "list"] if trusted is not None else []
        for each in lists:
            each.write_text(trusted or "")
            Path(f"{each}.pem").write_bytes(pdfs.authority("Operator of lists").pem)
        return examine(tmp_path / "signed.pdf", files, lists=lists, now=now or datetime.now(UTC))

    return _judge
