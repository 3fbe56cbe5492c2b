"""An error of the database names the file or the server, and the folder that a relative path begins in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.database.migration import migrate
from adapters.database.transactions import reading
from adapters.settings.settings import Settings
from models.errors import Transient, Unusable
from tests.conftest import url_of
from tests.installations import closed_url

Configure = Callable[..., Settings]


def error_of_reading() -> str:
    with pytest.raises(Transient) as failed, reading() as session:
        session.connection().exec_driver_sql("SELECT * FROM receipt")
    return in_full(failed.value)


def in_full(error: Transient) -> str:
    return " ".join([str(error), *error.__notes__])


def test_missing_file_is_named_and_not_made(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    configure(data_dir="here")

    said = error_of_reading()

    assert f"the database does not exist {tmp_path}/here/cellar.db; " in said
    assert f"CELLAR_DATA_DIR, which is 'here' in the working directory {tmp_path}" in said
    assert not list((tmp_path / "here").iterdir())


def test_relative_url_of_a_database_is_explained(configure: Configure, tmp_path: Path) -> None:
    configure(database_url="sqlite:///rows.db")

    assert f"CELLAR_DATABASE_URL in the working directory {tmp_path}" in error_of_reading()


def test_file_of_another_kind_is_refused(configure: Configure, tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/notes.txt")
    (tmp_path / "notes.txt").write_text("notes " * 500)

    expected = f"the database is no SQLite file {tmp_path}/notes.txt; check CELLAR_DATABASE_URL"
    assert expected in error_of_reading()
    with pytest.raises(Unusable) as refused:
        migrate()
    assert expected in in_full(refused.value)


def test_database_without_tables_is_named(configure: Configure, tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/rows.db")
    (tmp_path / "rows.db").touch()

    said = error_of_reading()

    assert f"run `cellar migrate` {tmp_path}/rows.db; if it is the wrong database" in said


def test_database_in_a_file_in_place_of_a_folder_cannot_be_made(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    with pytest.raises(Unusable, match="cannot be made") as refused:
        migrate()

    assert f"{tmp_path}/data/cellar.db; check CELLAR_DATA_DIR" in in_full(refused.value)


def test_server_that_is_away_is_named_without_user_and_password(configure: Configure) -> None:
    host = closed_url().removeprefix("http://")
    configure(database_url=f"postgresql://hidden:hidden@{host}/archives")

    said = error_of_reading()

    assert "the database does not answer: nothing listens at its address" in said
    assert f"archives at {host}; check CELLAR_DATABASE_URL" in said
    assert "hidden" not in said


def test_missing_database_of_a_server_is_named(configure: Configure, postgres_server: str) -> None:
    configure(database_url=url_of(postgres_server, "nowhere"))

    assert "the server has no such database" in error_of_reading()
