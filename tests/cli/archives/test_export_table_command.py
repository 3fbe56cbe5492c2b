"""`cellar export-table` writes a table as a file."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adapters.settings.settings import Settings
from tests.cli.conftest import Cellar
from tests.conftest import free_port
from tests.installations import archived
from tests.samples import sample_body


@pytest.mark.usefixtures("sqlite_installation")
def test_payments_are_written_to_a_new_file_only(cellar: Cellar, tmp_path: Path) -> None:
    for reference in ("process-1", "process-2"):
        archived(reference, sample_body(reference))
    target = tmp_path / "payments.parquet"

    assert cellar("export-table", "payments", "--to", str(target)).status == 0

    table = pq.read_table(target)
    assert table.column("reference").to_pylist() == ["process-1", "process-2"]
    assert table.column("amount_minor").to_pylist() == [2100, 2100]
    again = cellar("export-table", "payments", "--to", str(target))
    assert (again.status, "TARGET_EXISTS" in again.errors) == (1, True)
    assert pq.read_table(target).num_rows == 2


def test_failed_export_leaves_no_file(cellar: Cellar, configure: Callable[..., Settings], tmp_path: Path) -> None:
    configure(database_url=f"postgresql://nobody@127.0.0.1:{free_port()}/cellar")

    result = cellar("export-table", "payments", "--to", str(tmp_path / "payments.parquet"))

    assert (result.status, "the database does not answer" in result.errors) == (1, True)
    assert list(tmp_path.glob("*.parquet")) == []


@pytest.mark.usefixtures("sqlite_installation")
@pytest.mark.parametrize(
    ("name", "status", "told"),
    [("payments.xls", 2, ".parquet"), ("payments", 2, ".parquet"), ("nowhere/payments.parquet", 1, "FOLDER_MISSING")],
)
def test_name_of_another_format_or_in_no_folder_is_refused(
    cellar: Cellar, tmp_path: Path, name: str, status: int, told: str
) -> None:
    result = cellar("export-table", "payments", "--to", str(tmp_path / name))

    assert (result.status, told in result.errors) == (status, True)
    assert not (tmp_path / name).exists()
