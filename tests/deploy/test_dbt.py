"""The dbt package tells the same from the lake and from Postgres, and documents each column."""

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlmodel import col, update

from adapters.tables.runs import receipts
from docs.dbt_sources import FILE, sources
from domain.tables.catalogue import SOURCES
from models.archive.archive import ArchiveRow, State
from models.runs.receipt import Cause
from models.said import verbatim
from models.templates import Names, PartWords, TemplateWords
from services import publishing, templates
from tests.api.console.troubles import message, put
from tests.conftest import LONGEST_S, url_of
from tests.installations import finished, installed, received
from tests.records import NOON, archived, change, document, run_row
from tests.samples import sample_document

ROOT = Path(__file__).parents[2]
READERS = ROOT / ".venv-readers" / "bin" / "python"
PACKAGE = FILE.parents[1]
RUNS = """
import json, sys
from dbt.cli.main import dbtRunner

for command in map(json.loads, sys.argv[1:]):
    done = dbtRunner().invoke(command)
    if not done.success and "freshness" not in command:  # which fails where something is stale
        sys.exit(f"dbt {command} failed: {done.exception or ''}")
"""
BEFORE, DAY = date(2025, 12, 31), date(2026, 1, 1)
ZONE = "America/New_York"
MODELS = {
    "processes_by_day": "day, branch, processes, completed, failed",
    "money_by_day": "day, currency, standing, payments, amount_minor, revenue_minor",
    "time_to_archive": "day, template_id, archives, median_arrival_s, slowest_arrival_s, median_completion_s",
    "open_exceptions": "kind, code, _archive, place",
}


def body(reference: str, city: str | None, *payments: tuple[str, str, int], submitted: str) -> bytes:
    """Return an archive of a lease with its city, and payments of a type, a status and an amount."""
    made = sample_document() | {"reference": reference}
    made["sessions"][0] |= {"reference": reference, "process_id": reference, "template": {"id": "lease"}}
    made["sessions"][0] |= {"created_at": "soon", "submitted_at": submitted}
    (sample,), field = made["payments"], made["data"][0]
    made["payments"], made["data"] = [], [field | {"id": "CITY", "value": city}]
    for number, (type_, status, amount) in enumerate(payments):
        id_ = f"{reference} {number}"
        result = sample["provider_transaction_result"] | {
            "card_expiration": "1230",
            "cguid": id_,
            "total": str(amount),
        }
        its = {"transaction_id": id_, "type": type_, "status": status, "amount": amount}
        made["payments"].append(sample | its | {"provider_transaction_result": result})
        made["data"].append(field | {"id": f"PAID {number}", "type": "payment", "value": id_})
    made["data"] += [field | {"id": "TYPED", "type": "payment", "value": "typed"}] if reference == "a-3" else []
    return json.dumps(made).encode()


def fill() -> None:
    """Make leases of two cities, and a hundred orders, of which one has an odd number of pieces, and the last 50
    lack a field.
    """
    words = {"field:CITY": PartWords(name=Names(he="עיר {{ 1/0 }}"), personal=False)}
    templates.name({"lease": TemplateWords(parts=words)}, "a test", NOON)
    charge = "charge", "success"
    for reference, city, payments, submitted, at in (
        ("a-1", "Haifa", [(*charge, 2100)], "2026-01-01T10:00:00", datetime(2026, 1, 1, 10, 1, tzinfo=UTC)),
        ("a-2", "Haifa", [(*charge, 900), (*charge, 100)], "2026-01-01T10:00:00", NOON.replace(hour=10, minute=5)),
        ("a-3", " ", [("charge", "failure", 50)], "2026-01-01T10:00:00", NOON.replace(hour=10, minute=3)),
        (
            "a-4",
            "Jaffa",
            [("verify_credit_card", "success", 70)],
            "2026-01-01T03:30:00",
            NOON.replace(hour=3, minute=31),
        ),
    ):
        receipt_id = received(reference, body(reference, city, *payments, submitted=submitted), at)
        finished(reference, receipt_id, at + timedelta(seconds=9))
    for number in range(100):
        session = {"template": {"id": "order"}, "submitted_at": "2026-01-01T12:00:00"}
        its = document(f"o-{number:02}", **session) | {"payments": []}
        its["data"] = [its["data"][0] | {"id": "PIECES", "value": "many" if number == 7 else number, "type": "text"}]
        its["data"] += [its["data"][0] | {"id": "GONE", "value": "x"}] if number < 50 else []
        archived(f"o-{number:02}", minute=number / 100, payload=its)
    failed = received("a-5", body("a-5", "Haifa", submitted="2026-01-01T10:00:00"), datetime.now(UTC))
    receipts.set_failed(failed, Cause("CONFLICT", "persist-files", "Conflict", verbatim("a test")), NOON)
    received("a-6", body("a-6", "Haifa", submitted="2026-01-01T10:00:00"), NOON)
    waits = {"state": State.PROCESSING, "cause_code": "STORE_AWAY", "cause_task": "persist-files", "cause_since": NOON}
    change(update(ArchiveRow).where(col(ArchiveRow.reference) == "a-6").values(**waits))
    put([message("dead", "dead", 40, reference="a-1")])
    put([run_row("run-1", failed, reference="a-5", state="Failed")])


def run(package: Path, environment: dict[str, str], *commands: list[str]) -> str:
    """Run commands of dbt, and return their standard output."""
    quiet = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", "DBT_USE_COLORS": "false"}
    asked = [str(READERS), "-c", RUNS, *map(json.dumps, commands)]
    told = {**os.environ, **quiet, **environment}
    done = subprocess.run(asked, cwd=package, env=told, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


@dataclass(frozen=True, slots=True)
class Built:
    """What dbt made: its folder for each target, and the rows of each model there."""

    folder: Path
    rows: dict[tuple[str, str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, postgres_server: str, migrated_database: str) -> Built:
    folder = tmp_path_factory.mktemp("dbt")
    lake, lean, package = folder / "lake", folder / "lean", folder / "package"
    url = url_of(postgres_server, "dbt_test")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE dbt_test TEMPLATE {migrated_database} STRATEGY FILE_COPY".encode())
    with installed(folder, lake_url=lake, database_url=url, share=True, business_timezone=ZONE):
        fill()
        publishing.publish()
    with installed(folder, lake_url=lean, database_url=url, tables_personal="data=left_out"):
        publishing.publish()
    shutil.copytree(PACKAGE, package)
    place = {f"PG{name.upper()}": str(value) for name, value in conninfo_to_dict(url).items() if name != "dbname"}
    place |= {"PGDATABASE": "dbt_test", "DBT_LAKE_URL": str(lake)}
    (package / "models" / "forms.yml").write_text(run(package, place, ["--quiet", "run-operation", "form_sources"]))
    with_branches = ["--vars", json.dumps({"branches": {"form_lease": "CITY"}})]

    def run_for(target: str) -> str:
        its = ["--target", target, "--target-path", f"target-{target}", "--log-path", f"logs-{target}", *with_branches]
        return run(
            package, place, *([*each, *its] for each in (["build"], ["docs", "generate"], ["source", "freshness"]))
        )

    with ThreadPoolExecutor() as threads:
        list(threads.map(run_for, ("lake", "share")))
    of_lean = {"DBT_LAKE_URL": str(lean), "DBT_DUCKDB": str(folder / "lean.duckdb")}
    run(package, place | of_lean, ["build"])
    rows = dict[tuple[str, str], list[tuple[Any, ...]]]()
    with duckdb.connect(str(package / "cellar.duckdb")) as own, psycopg.connect(url) as other:
        for name, columns in MODELS.items():
            rows["lake", name] = own.execute(f"SELECT {columns} FROM {name}").fetchall()
            rows["share", name] = other.execute(f"SELECT {columns} FROM analytics.{name}".encode()).fetchall()
    return Built(package, rows)


TARGETS = pytest.mark.parametrize("target", ["lake", "share"])


@TARGETS
def test_models_tell_what_was_archived(built: Built, target: str) -> None:
    today = datetime.now(ZoneInfo(ZONE)).date()
    found = {name: sorted(built.rows[target, name], key=str) for name in MODELS}

    assert found["processes_by_day"] == [
        (BEFORE, "Jaffa", 1, 1, 0),
        (DAY, "Haifa", 2, 2, 0),
        (DAY, "unknown", 102, 1, 0),
        (today, "unknown", 1, 0, 1),
    ]
    assert found["money_by_day"] == [
        (BEFORE, "ILS", "verified", 1, 70, None),
        (DAY, "ILS", "charged", 3, 3100, 3100),
        (DAY, "ILS", "failed", 1, 50, None),
    ]
    assert found["time_to_archive"] == [
        (BEFORE, "lease", 1, 60.0, 60.0, 9.0),
        (DAY, "lease", 3, 180.0, 300.0, 9.0),
        (DAY, "order", 100, pytest.approx(29.7), pytest.approx(59.4), None),
    ]
    assert found["open_exceptions"] == [
        ("discrepancy", "FIELD_WITHOUT_PAYMENT", "a-3", None),
        ("discrepancy", "STATUS_CONFLICT", "a-3", None),
        ("failed_run", "CONFLICT", "a-5", "persist-files"),
        ("message", "archive.completed", "a-1", "crm"),
        ("unfit_value", "UNFIT_VALUE", "o-07", "data[0]"),
        ("waiting_run", "STORE_AWAY", "a-6", "persist-files"),
        *(("warning", "TIMESTAMP_UNREADABLE", f"a-{each}", "sessions[0].created_at") for each in (1, 2, 3, 4)),
    ]


@TARGETS
def test_documentation_has_what_each_column_means(built: Built, target: str) -> None:
    folder = built.folder / f"target-{target}"
    catalog, manifest = (json.loads((folder / f"{each}.json").read_text()) for each in ("catalog", "manifest"))
    described = {**manifest["sources"], **manifest["nodes"]}
    seen = {
        each["metadata"]["name"]: each["columns"] for each in (*catalog["sources"].values(), *catalog["nodes"].values())
    }

    assert {*SOURCES, *MODELS, "unfit_values", "dictionary", "form_lease", "form_order"} == {*seen}
    for id_, each in {**catalog["sources"], **catalog["nodes"]}.items():
        about = described[id_]["columns"]
        assert described[id_]["description"] or "form_" in id_
        assert {name for name in each["columns"] if not about[name]["description"]} == set(), id_
    assert "עיר { { 1/0 }}" in described["source.cellar.cellar_forms.form_lease"]["columns"]["CITY"]["description"]


@TARGETS
def test_freshness_tells_which_tables_have_no_new_rows(built: Built, target: str) -> None:
    found = json.loads((built.folder / f"target-{target}" / "sources.json").read_text())["results"]

    assert {each["unique_id"].rpartition(".")[2]: each["status"] for each in found} == {
        "archives": "pass",
        "deliveries": "pass",
        "events": "pass",  # there was none yet
        "runs": "error",
    }


@TARGETS
def test_field_that_vanished_is_warned_of(built: Built, target: str) -> None:
    log = (built.folder / f"logs-{target}" / "dbt.log").read_text()

    assert re.findall(r"\d (PASS|WARN \d+|ERROR) no_field_vanished", log) == ["WARN 1"]


def test_versions_of_dbt_are_those_that_were_tried() -> None:
    tried = {*re.findall(r"^([\w-]+==[\w.]+)", (ROOT / "requirements-readers.lock").read_text(), re.MULTILINE)}
    assert tried.issuperset((PACKAGE / "requirements.txt").read_text().split())


def test_sources_are_those_of_the_catalogue() -> None:
    assert FILE.read_text() == sources(), "run `make dbt-sources`"
