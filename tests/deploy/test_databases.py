"""`deploy/make-databases` on a real Postgres."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pgserver
import psycopg
import pytest

from tests.conftest import LONGEST_S, url_of
from tests.deploy.forms import DEPLOY

_PSQL = Path(pgserver.__file__).parent / "pginstall" / "bin" / "psql"


@pytest.fixture
def server(postgres_server: str) -> Iterator[str]:
    yield postgres_server
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in ("cellar", "prefect"):
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            connection.execute(f"DROP ROLE IF EXISTS {name}".encode())


def test_cellar_and_prefect_each_own_a_database_and_have_a_password(server: str, secrets: Path) -> None:
    place = psycopg.conninfo.conninfo_to_dict(server)
    environment = os.environ | {"PGHOST": str(place["host"]), "PGUSER": str(place["user"]), "PSQL": str(_PSQL)}

    subprocess.run([DEPLOY / "make-databases", secrets], env=environment, check=True, timeout=LONGEST_S)

    with psycopg.connect(server) as connection:
        owned = "SELECT datname, rolname, rolpassword FROM pg_database JOIN pg_authid a ON a.oid = datdba"
        found = {name: (owner, bool(password)) for name, owner, password in connection.execute(owned)}
    assert {name: found[name] for name in ("cellar", "prefect")} == {
        "cellar": ("cellar", True),
        "prefect": ("prefect", True),
    }
    with psycopg.connect(url_of(server, "cellar"), user="cellar") as connection:
        connection.execute("CREATE TABLE public.mine (id int)")
