"""`deploy/make-databases` on a real Postgres."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pgserver
import psycopg
import pytest

from adapters.database.migration import migrate
from models.access import Action, Caller, Role
from models.errors import Unusable
from models.templates import Names, PartWords, TemplateWords
from services import publishing, templates
from services.access.log import record
from tests.conftest import LONGEST_S, Configure, url_of
from tests.deploy.forms import DEPLOY
from tests.installations import archived
from tests.lakes import lease
from tests.records import NOON
from tests.samples import sample_body

_PSQL = Path(pgserver.__file__).parent / "pginstall" / "bin" / "psql"


@pytest.fixture
def server(postgres_server: str) -> Iterator[str]:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS cellar_share_reader")  # other tests publish here too
    yield postgres_server
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in ("cellar", "prefect"):
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        for name in ("cellar", "prefect", "cellar_run", "cellar_share_reader", "analyst"):
            connection.execute(f"DROP ROLE IF EXISTS {name}".encode())


@pytest.fixture
def made(server: str, secrets: Path) -> str:
    place = psycopg.conninfo.conninfo_to_dict(server)
    environment = os.environ | {"PGHOST": str(place["host"]), "PGUSER": str(place["user"]), "PSQL": str(_PSQL)}
    subprocess.run([DEPLOY / "make-databases", secrets], env=environment, check=True, timeout=LONGEST_S)
    return server


def test_cellar_and_prefect_each_own_a_database_and_have_a_password(made: str) -> None:
    with psycopg.connect(made) as connection:
        owned = "SELECT datname, rolname, rolpassword FROM pg_database JOIN pg_authid a ON a.oid = datdba"
        found = {name: (owner, bool(password)) for name, owner, password in connection.execute(owned)}
    assert {name: found[name] for name in ("cellar", "prefect")} == {
        "cellar": ("cellar", True),
        "prefect": ("prefect", True),
    }
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(url_of(made, "prefect"), user="cellar_run")


DENIED = [
    "DROP TABLE access",
    "TRUNCATE access",
    "ALTER TABLE access DISABLE TRIGGER ALL",
    "DROP TRIGGER access_kept ON access",
    "DROP FUNCTION access_is_kept CASCADE",
    "SET session_replication_role = replica",
    "ALTER TABLE archive ADD COLUMN more int",
    "CREATE TABLE mine (id int)",
    "UPDATE access SET person = 'nobody'",
    "UPDATE alembic_version SET version_num = '0001'",
]


def test_user_who_runs_changes_no_table_and_no_young_row_of_the_access_log(made: str, configure: Configure) -> None:
    run, owner = (url_of(made, "cellar").replace("postgres:@", f"{user}:@", 1) for user in ("cellar_run", "cellar"))
    configure(database_url=run, migration_database_url=owner)
    migrate()
    migrate()  # again, as each release does
    record(Caller("dana", Role.OPERATOR), Action.READ_ARCHIVE)
    archived("process-1", sample_body("process-1"))

    with psycopg.connect(url_of(made, "cellar"), user="cellar_run", autocommit=True) as connection:
        for statement in DENIED:
            with pytest.raises(psycopg.Error, match=r"permission denied|must be owner"):
                connection.execute(statement)
        with pytest.raises(psycopg.Error, match="access is"):
            connection.execute("DELETE FROM access")
        found = connection.execute("SELECT person FROM access").fetchall()
    assert found == [("dana",)]


HIDDEN = ["archive", "cellar_share._state"]


def test_reader_of_the_share_sees_its_tables_and_nothing_else(made: str, configure: Configure) -> None:
    run, owner = (url_of(made, "cellar").replace("postgres:@", f"{user}:@", 1) for user in ("cellar_run", "cellar"))
    configure(database_url=run, migration_database_url=owner, share=True)
    migrate()
    lease(1, ("RENT", 7), ("שכירות", "x"))
    words = {
        "name": Names(en="Lease", he="שכירות"),
        "parts": {"field:RENT": PartWords(name=Names(en="Rent", he="דמי"))},
    }
    templates.name({"lease": TemplateWords.model_validate(words)}, "a test", NOON)
    shown = {each.table for each in publishing.publish()}

    with psycopg.connect(url_of(made, "cellar"), autocommit=True) as connection:
        connection.execute("CREATE ROLE analyst LOGIN IN ROLE cellar_share_reader")
    with psycopg.connect(url_of(made, "cellar"), user="analyst", autocommit=True) as connection:
        for name in shown:
            connection.execute(f"SELECT * FROM cellar_share.{name}".encode())
            with pytest.raises(psycopg.Error, match="permission denied"):
                connection.execute(f"DELETE FROM cellar_share.{name}".encode())
        for name in HIDDEN:
            with pytest.raises(psycopg.Error, match="permission denied"):
                connection.execute(f"SELECT * FROM {name}".encode())
        asked = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema ~ '^(public|cellar)'"
        seen = {*connection.execute(asked).fetchall()}
        said = "SELECT obj_description(a.attrelid), col_description(a.attrelid, a.attnum) FROM pg_attribute a"
        said += " WHERE attrelid = 'cellar_share.form_lease'::regclass AND attname = 'Rent'"
        comments = connection.execute(said.encode()).fetchone()
    assert seen == {("cellar_share", each) for each in shown}
    assert comments == ("a row for each archive of lease · Lease · שכירות", "Rent · דמי")

    with psycopg.connect(url_of(made, "cellar"), autocommit=True) as connection:
        connection.execute("DROP SCHEMA cellar_share CASCADE; DROP OWNED BY cellar_share_reader")
        connection.execute("DROP ROLE cellar_share_reader")
    with pytest.raises(Unusable, match="an administrator"):
        publishing.publish()
    configure(database_url=owner, share=True)  # who makes no role
    assert {each.table for each in publishing.publish()} == shown
