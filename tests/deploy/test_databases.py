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
from services.access.log import record
from tests.conftest import LONGEST_S, Configure, url_of
from tests.deploy.forms import DEPLOY
from tests.installations import archived
from tests.samples import sample_body

_PSQL = Path(pgserver.__file__).parent / "pginstall" / "bin" / "psql"


@pytest.fixture
def server(postgres_server: str) -> Iterator[str]:
    yield postgres_server
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in ("cellar", "prefect"):
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        for name in ("cellar", "prefect", "cellar_run"):
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
