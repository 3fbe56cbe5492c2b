"""DuckDB, Polars and pandas read what cellar writes for data teams, and the notebook of the docs runs on it."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest

from models.templates import PartWords, TemplateWords
from services import publishing, templates
from tests.conftest import LONGEST_S, bucket_at, make_tables
from tests.installations import installed
from tests.lakes import DATA
from tests.records import NOON, archived, document
from tests.tables import exported

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "tables.ipynb"
CITIES = ("חיפה", "תל אביב", "Be'er Sheva")
STATUSES = (("charge", "success"), ("verify_credit_card", "success"), ("charge", "failed"))
LEASES, WITHOUT_RENT = 102, 23
PUBLIC = ("CITY", "RENT", "START", "ROOMS", "PARKING")


def rent(number: int) -> Decimal:
    return Decimal(f"{4000 + number * 100}.{number % 100:02}")


def started(number: int) -> datetime:
    return datetime(2026, 1 + number % 6, 1 + number % 28, 10, tzinfo=UTC)


def lease(number: int, version: int = 1) -> None:
    """Load a lease. From March on it has rooms, and from May on it has no parking any longer."""
    at, name = started(number), f"lease-{number:03}"
    its = document(
        name, template={"id": "lease"}, id=f"s-{number}",
        created_at=at.strftime("%Y-%m-%dT08:00:00"), submitted_at=at.strftime("%Y-%m-%dT09:30:00"),
    )  # fmt: skip
    fields = {
        "CITY": CITIES[number // 6 % 3],
        "RENT": f"{rent(number):,}",
        "START": f"{at:%d/%m/%Y}",
        "TENANT_NAME": "דנה",
    }
    fields |= {"RENT": "by agreement"} if number == WITHOUT_RENT else {}
    fields |= {"ROOMS": f"{2 + number % 3}"} if at.month >= 3 else {}
    fields |= {"PARKING": "כן" if number % 2 else "לא"} if at.month < 5 else {}
    its["data"] = [its["data"][0] | {"id": id_, "value": value} for id_, value in fields.items()]
    kind, status = STATUSES[number % 3]
    paid = {"transaction_id": str(uuid5(NAMESPACE_OID, name)), "session_id": f"s-{number}", "type": kind}
    its["payments"] = [its["payments"][0] | paid | {"status": status, "amount": 10_000 + number}]
    minute = (at - NOON) / timedelta(minutes=1) + (number == 7) * 45 + version
    archived(name, f"{name} {version}", minute=minute, payload=its)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, s3_server: str) -> dict[str, Any]:
    """Publish leases to a folder and a bucket, export them, and let other programs read all three."""
    folder, bucket = tmp_path_factory.mktemp("readers"), bucket_at(s3_server)
    lakes, file = ("data/lake", "s3://archives/readers"), folder / "leases.parquet"
    for lake in lakes:
        with installed(folder, lake_url=lake, public_url="https://cellar.example", **bucket):
            if not (folder / "data" / "cellar.db").exists():
                make_tables()
                public = {f"field:{each}": PartWords(personal=False) for each in PUBLIC}
                templates.name({"lease": TemplateWords(parts=public)}, "a test", NOON)
                for number in range(LEASES):
                    lease(number)
                lease(5, version=2)
            assert publishing.publish()
            file.write_bytes(exported(template="lease", caller=DATA))
    command = (ROOT / ".venv-readers" / "bin" / "python", ROOT / "tests" / "services" / "readers.py", NOTEBOOK, file)
    environment = {"PATH": "", "HOME": str(folder), "AWS_ALLOW_HTTP": "true", "AWS_S3_ALLOW_UNSAFE_RENAME": "true"}
    ended = subprocess.run(
        [*command, *lakes], cwd=folder, env=environment | bucket,
        capture_output=True, text=True, timeout=LONGEST_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    its: dict[str, Any] = json.loads(ended.stdout)
    return its


TYPES = {
    "DuckDB": ["VARCHAR", "DECIMAL(38,18)", "DATE", "TIMESTAMP WITH TIME ZONE", "BIGINT"],
    "Polars": [
        "String",
        "Decimal(precision=38, scale=18)",
        "Date",
        "Datetime(time_unit='us', time_zone='UTC')",
        "Int64",
    ],
    "pandas": ["Decimal", "date", "str", "object", "object", "datetime64[us, UTC]", "float64"],
}


def test_libraries_read_folder_bucket_and_file_alike(found: dict[str, Any]) -> None:
    expected = {
        "rows": LEASES,
        "rent": f"{sum(rent(each) for each in range(LEASES) if each != WITHOUT_RENT):.18f}",
        "start": str(min(started(each) for each in range(LEASES)).date()),
        "at": int((max(map(started, range(LEASES))) + timedelta(minutes=1)).timestamp()),
        "rooms": sum(started(each).month >= 3 for each in range(LEASES)),
        "city": "Be'er Sheva",
    }
    assert len(found["read"]) == 9
    for name, its in found["read"].items():
        assert its == expected | {"types": TYPES[name.split()[0]]}, name


def test_notebook_shows_what_it_finds(found: dict[str, Any]) -> None:
    """The outputs in the docs are those of a run. To renew them, copy `tables.ipynb` from the folder of the test."""
    assert len(found["run"]) == 6
    assert found["run"] == found["kept"]
    assert "דנה" not in NOTEBOOK.read_text()
