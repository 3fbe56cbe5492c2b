"""The migrations make the tables of the models, and refuse a database that another build has migrated."""

from hashlib import sha256
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlmodel import SQLModel, select

import migrations
from adapters.database.connections import engine
from adapters.database.migration import migrate, revisions
from adapters.database.transactions import reading
from domain.messages.endpoints import EVENTS_OF_SETTINGS
from models.archive.content import SignedDocumentRow
from models.errors import Conflict
from models.messages.notification import EndpointRow
from models.people import ActionRow
from models.said import Sentence
from models.search import TEXT_INDEX
from models.store.happened import NotedRow
from tests.conftest import Configure
from tests.records import NOON, all_of, put

FOLDER = Path(migrations.__file__).parent
RELEASED = {
    "ledger.py": "99868c3360d9516117a0652c004a0347edfe49b4f50e3dd7f788a2de5d427b16",
    "versions/0001_tables.py": "f00bc8768a27a6ab4d3c1a6717332ab40776329e7d7a16b414f10f2d22c80b96",
}
"""The digests of what was released. A line is added with a release, and none is changed (docs/decisions)."""


def _is_of_a_model(name: str | None, *_: object) -> bool:
    """Leave out the index of texts, which SQLite makes of tables and Postgres of an extension that it may lack."""
    return name not in {*TEXT_INDEX, "ix_search_entry_text"}


@pytest.mark.usefixtures("installation")
def test_models_and_migrations_agree_also_after_migrating_again() -> None:
    migrate()

    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _is_of_a_model})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_released_migrations_stay_as_they_were() -> None:
    assert {each: sha256((FOLDER / each).read_bytes()).hexdigest() for each in RELEASED} == RELEASED


def test_migrations_are_one_line_and_each_is_named_like_its_file() -> None:
    known = list(ScriptDirectory(str(FOLDER)).walk_revisions())

    assert sorted(each.revision for each in known) == sorted(each.stem for each in FOLDER.glob("versions/0*.py"))
    assert max(len(each.revision) for each in known) <= 32  # the width of Alembic's column


"""What endpoints and events had before revision 0018."""


_LATER_TABLES = ("noted", "tombstone", "tombstone_mark", "hold", "form_column", "change", "people_address")
_LATER_INDEXES = (
    *("run_ended_at", "notification_attempt_attempted_at", "signed_document_judged_at", "archive_digest"),
    *("archive_due", "delivery_source", "action_at"),
)
_COLUMNS = (
    *(f"archive DROP COLUMN {each}" for each in ("digest", "due_action", "due_at")),
    *("signed_document DROP judged_at", "payment DROP card_acquirer", "version DROP content_root"),
    *(f"endpoint ADD {each} JSON DEFAULT '[]'" for each in ("templates", "fields")),
    *(f"endpoint ADD {each} FLOAT" for each in ("rate_per_s", "pace_per_s", "free_at")),
    *("endpoint ADD labels JSON DEFAULT '{}'", "endpoint ADD is_declared BOOLEAN DEFAULT false"),
    "event ADD labels JSON DEFAULT '{}'",
)
_EARLIER = (
    *(f"DROP TABLE {each}" for each in _LATER_TABLES),
    *(f"DROP INDEX ix_{each}" for each in _LATER_INDEXES),
    *(f"ALTER TABLE {each}" for each in _COLUMNS),
    "UPDATE endpoint SET labels = '{\"branch\": \"12\"}' WHERE name = 'by-label'",
    "UPDATE endpoint SET is_declared = true WHERE name = 'settings-1'",
    "UPDATE alembic_version SET version_num = '0006_links'",
)
"""What makes a database one of the build with revision 0006."""


@pytest.mark.usefixtures("installation")
def test_rows_of_an_earlier_build_mean_what_they_meant() -> None:
    """An endpoint that filtered otherwise is disabled, since it would hear more."""
    for name in ("all", "by-label", "settings-1"):
        put(EndpointRow(name=name, url="https://erp.example/hook", created_at=NOON))
    put(ActionRow(action_id="1", reference="r", kind="rerun", by="Dana", at=NOON))
    for reference, judgements in (("judged", [{"at": "2026-01-01T00:00:00+00:00"}, {"at": str(NOON)}]), ("new", [])):
        its = {"reference": reference, "position": 0, "outcome": "sound", "verdict": {}, "judgements": judgements}
        put(SignedDocumentRow.model_validate(its))
    with engine().begin() as connection:
        _drop_triggers_of_changes(connection)
        for each in _EARLIER:
            connection.execute(text(each))

    migrate()

    (noted,) = all_of(select(NotedRow))
    assert (noted.of, noted.row["by"], noted.row["at"]) == ("action", "Dana", NOON.isoformat())
    known = all_of(select(SignedDocumentRow).order_by(SignedDocumentRow.reference))
    assert [each.judged_at for each in known] == [NOON, None]
    every, by_label, of_settings = all_of(select(EndpointRow).order_by(EndpointRow.name))
    assert (every.disabled_at, every.events, every.created_by) == (None, [], None)
    assert by_label.disabled_at
    assert "filtered by template or label" in (by_label.disabled_why or "")
    assert by_label.values == {"disabled_why": Sentence.filter_gone().as_json()}
    assert (of_settings.disabled_at, of_settings.created_by) == (None, "settings")
    assert of_settings.events == EVENTS_OF_SETTINGS


def _drop_triggers_of_changes(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP FUNCTION note_change() CASCADE"))
        return
    names = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'change_of_%'"
    for name in connection.execute(text(names)).scalars().all():
        connection.execute(text(f"DROP TRIGGER {name}"))


def test_migrate_creates_the_folder_of_the_database(configure: Configure, tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/a/b/c.db")

    migrate()

    assert (tmp_path / "a" / "b" / "c.db").exists()


@pytest.mark.usefixtures("installation")
def test_database_of_another_build_is_refused_with_advice_and_stays_as_it_is() -> None:
    with engine().begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_later'"))

    advice = "start that version again, or .* an empty database, then run `cellar migrate` and `cellar rebuild`"
    with pytest.raises(Conflict, match=f"revision 9999_later, which this version does not know: .* {advice}"):
        migrate()

    assert revisions().database == "9999_later"
    with reading() as session:
        assert session.scalar(text("SELECT count(*) FROM archive")) == 0
