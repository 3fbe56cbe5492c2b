"""Verification finds rows that say otherwise than the store, and what an insider who knows the formats rewrites."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from adapters.database.transactions import writing
from adapters.inbox import inbox
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from models.store.fixity import Fault
from services.custody.objects import object_of, stored_objects
from services.custody.verifying import verify_object, verify_objects
from services.custody.verifying_records import verify_beside
from services.processing.completion import load
from services.processing.persisting import persist
from services.receipts import stored_archive
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.flows.databases import in_new_database
from tests.insider.objects import opened
from tests.insider.stores import place_of
from tests.installations import archived
from tests.samples import PNG, sample_body

REFERENCE = "process-1"


@pytest.fixture
def receipt_ids(installation: Settings) -> list[str]:
    """Archive a version, a delivery that says the same, a later version, and another archive; return the receipts."""
    bodies = [sample_body(), json.dumps(json.loads(sample_body()), indent=1).encode(), sample_body(signatures=[])]
    return [archived(REFERENCE, body) for body in bodies] + [archived("process-2", sample_body("process-2"))]


def findings(reference: str = REFERENCE) -> list[tuple[Fault, str, str]]:
    found = verify_object(object_of(reference)).findings
    return [(each.fault, each.key.removeprefix(f"{ocfl.object_key(reference)}/"), each.found) for each in found]


@contextmanager
def rewritten(table: str, column: str, value: Any, where: str = f"reference = '{REFERENCE}'") -> Iterator[None]:
    """Rewrite a column of the database alone, until the end of the block."""
    its = SQLModel.metadata.tables[table]
    keys = list(its.primary_key.columns)
    with writing() as session:
        connection = session.connection()
        condition = its.c.reference == where.split("'")[1]
        before = connection.execute(its.select().where(condition)).mappings().first()
        assert before
        of_row = [key == before[key.name] for key in keys]
        connection.execute(its.update().where(*of_row).values({column: value}))
    try:
        yield
    finally:
        with writing() as session:
            after = [key == (value if key.name == column else before[key.name]) for key in keys]
            session.connection().execute(its.update().where(*after).values({column: before[column]}))


REWRITTEN: list[tuple[str, str, Any]] = [
    ("file", "filename", "another.pdf"),
    ("version", "event_at", datetime(2030, 1, 1, tzinfo=UTC)),
    ("version", "skeleton", b"{}"),
]
"""`test_every_table.py` rewrites each column of each table."""


def test_each_row_that_says_otherwise_than_the_store_is_named_without_its_values(receipt_ids: list[str]) -> None:
    assert verify_objects(stored_objects()).findings == ()
    for table, column, value in REWRITTEN:
        with rewritten(table, column, value):
            found = findings()
            assert found, (table, column)
            assert {fault for fault, _, _ in found} == {Fault.DIFFERS}, (table, column, found)
            shown = "skeleton_sha256" if column == "skeleton" else column
            assert any(shown in said for _, _, said in found), (table, column, found)
            assert all("another.pdf" not in said and "2030" not in said for _, _, said in found)
        assert not verify_object(object_of(REFERENCE), is_quick=True).findings
    assert findings() == []


def test_rows_that_one_side_lacks_and_an_older_current_version_are_found(receipt_ids: list[str]) -> None:
    first, _, last, _ = receipt_ids
    with rewritten("archive", "current_receipt_id", first):
        ((fault, _, said), *_) = findings()
    assert (fault, "current_receipt_id" in said) == (Fault.DIFFERS, True)

    with rewritten("form_field", "position", 99):
        assert [said for _, _, said in findings()] == ["the database has an unknown row 99; lacks row 0"]
    load(stored_archive(REFERENCE, last))
    assert findings() == []


def test_after_another_time_zone_a_run_ends_the_findings_and_no_older_version_becomes_current_unseen(
    sqlite_installation: Settings, configure: Configure
) -> None:
    bodies = [sample_body(), json.dumps(json.loads(sample_body()), indent=1).encode(), sample_body(signatures=[])]
    first, _, last = [archived(REFERENCE, body) for body in bodies]
    configure(timezone="America/New_York")
    assert [(fault, said) for fault, _, said in findings()] == [(Fault.STALE, "rows that were read with the defaults")]

    load(stored_archive(REFERENCE, last))
    assert findings() == []

    with rewritten("archive", "current_receipt_id", first):
        assert any("current_receipt_id" in said for _, _, said in findings())
        with writing() as session:
            its = SQLModel.metadata.tables["version"]
            later = datetime(2022, 12, 21, 23, 29, 17, tzinfo=UTC)
            session.connection().execute(its.update().where(its.c.receipt_id == first).values(event_at=later))
        assert any("current_receipt_id" in said for _, _, said in findings())


@pytest.mark.parametrize(
    "terms", [{"timezone": "Asia/Jerusalem"}, {"amount_unit": "major"}, {"payment_types": "x=held"}]
)
def test_rows_that_were_read_on_other_terms_are_stale_and_what_was_rewritten_among_them_differs(
    sqlite_installation: Settings, configure: Configure, terms: dict[str, str]
) -> None:
    archived(REFERENCE, sample_body(REFERENCE))
    archived("process-2", sample_body("process-2"))
    configure(**terms)
    assert [fault for fault, _, _ in findings()] == [Fault.STALE]

    with rewritten("form_field", "value", "another"):
        assert [(fault, "value" in said) for fault, _, said in findings()] == [
            (Fault.DIFFERS, True),
            (Fault.STALE, False),
        ]
    with rewritten("archive", "read_on", None):
        assert [fault for fault, _, _ in findings()] == [Fault.STALE]
    for unknown in ({"timezone": "no zone"}, {"timezone": "America"}, {"payment_types": 1}, "x"):
        with rewritten("archive", "read_on", unknown):
            assert {fault for fault, _, _ in findings()} == {Fault.DIFFERS}, unknown

    in_new_database(configure)
    assert (findings(), findings("process-2")) == ([], [])


def test_a_run_that_is_at_work_or_has_failed_causes_no_finding(receipt_ids: list[str]) -> None:
    """It has loaded rows and counted its delivery, and is not complete; its body is in the inbox."""
    new = json.loads(sample_body(data=[]))
    again = json.loads(sample_body(signatures=[]))
    for document in (new, again):
        document["event"] |= {"timestamp": "2031-01-01T00:00:00Z"}
        delivery = received(REFERENCE, json.dumps(document).encode())
        assert findings() == []
        persist(REFERENCE, delivery.receipt_id)
        assert {fault for fault, _, _ in findings()} <= {Fault.INTERRUPTED}
        load(stored_archive(REFERENCE, delivery.receipt_id))
        assert {fault for fault, _, _ in findings()} <= {Fault.INTERRUPTED}
    received(REFERENCE, sample_body())  # a known receipt again
    assert {fault for fault, _, _ in findings()} <= {Fault.INTERRUPTED}
    assert list(inbox.deliveries())


def rewrite_content(name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a content as an insider does who knows the format: its names, inventories and sidecars agree with it."""
    its = opened(place_of(REFERENCE))
    if name == "files/":
        before = its.files(PNG)[0]
        after = its.replace_file(before, change(its.contents[before]))
        name, change = "cuts.json", lambda text: text.replace(before.encode(), after.encode())
    its.replace_content(1, name, change)
    its.write()


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("skeleton.json", lambda text: text.replace(b'"amount": 21', b'"amount": 22')),
        ("cuts.json", lambda text: text.replace(b'"spelling": {', b'"spelling": {"plus": "-", "line": 76')),
        ("files/", lambda data: data + b"x"),
    ],
)
@pytest.mark.usefixtures("sqlite_installation")
def test_contents_rewritten_with_inventories_and_sidecars_contradict_the_receipt_id(
    path: str, change: Callable[[bytes], bytes]
) -> None:
    receipt_id = archived(REFERENCE, sample_body())
    rewrite_content(path, change)

    assert verify_object(object_of(REFERENCE), is_quick=True).findings == ()
    assert findings() == [(Fault.DAMAGED, "v1", "files that do not rebuild it")]
    (finding,) = verify_object(object_of(REFERENCE)).findings
    assert receipt_id in finding.expected


@pytest.mark.usefixtures("sqlite_installation")
def test_version_with_another_time_than_its_receipt_is_damaged() -> None:
    archived(REFERENCE, sample_body(), datetime(2026, 3, 1, 12, tzinfo=UTC))
    its = opened(place_of(REFERENCE))
    its.change(1, created_at=datetime(2026, 3, 1, 11, tzinfo=UTC))
    its.write()

    assert verify_object(object_of(REFERENCE), is_quick=True).findings == ()
    assert findings() == [(Fault.DAMAGED, "v1/inventory.json", "another time")]


@pytest.mark.usefixtures("sqlite_installation")
def test_links_pipes_and_empty_folders_are_named_and_never_opened(tmp_path: Path) -> None:
    archived(REFERENCE, sample_body())
    root = Path(settings().store_location)
    folder = root / ocfl.object_key(REFERENCE)
    files = folder / "v1/content/files"
    linked, piped = sorted(files.iterdir())
    linked.rename(tmp_path / "content")
    linked.symlink_to(tmp_path / "content")
    piped.rename(tmp_path / "piped")
    os.mkfifo(piped)  # opening it would wait for a writer
    (folder / "v1/content/linked").symlink_to(files)
    (folder / "v1/content/empty").mkdir()
    (folder / "logs/empty").mkdir()
    (folder.parent / "urn%3acellar%3aremoved").mkdir()
    (root / "archives/link").symlink_to("/")
    (root / "keys/link").symlink_to("/")

    fixity = verify_objects(stored_objects()) + verify_beside()

    assert {(each.fault, each.key.removeprefix(f"{ocfl.object_key(REFERENCE)}/")) for each in fixity.findings} == {
        (Fault.UNREADABLE, f"v1/content/files/{linked.name}"),
        (Fault.UNREADABLE, f"v1/content/files/{piped.name}"),
        (Fault.UNREADABLE, "v1/content/linked"),
        (Fault.EXTRA, "v1/content/empty"),
        (Fault.INTERRUPTED, "logs/empty"),
        (Fault.EXTRA, str(folder.parent.relative_to(root) / "urn%3acellar%3aremoved")),
        (Fault.UNREADABLE, "archives/link"),
        (Fault.UNREADABLE, "keys/link"),
    }
