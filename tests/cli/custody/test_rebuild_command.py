"""`cellar rebuild` makes the database again, and names what it could not rebuild."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from models.access import CELLAR
from services.views import archive_view
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.flows.databases import rows
from tests.installations import archived, inventory_of
from tests.samples import sample_body


@pytest.fixture(autouse=True)
def _installation(sqlite_installation: Settings) -> None:
    for reference in ("one", "two"):
        archived(reference, sample_body(reference))


@pytest.fixture
def new_database(cellar: Cellar, configure: Configure, tmp_path: Path) -> Callable[[], None]:
    def _new_database() -> None:
        configure(database_url=f"sqlite:///{tmp_path}/new.db")
        assert cellar("migrate").status == 0

    return _new_database


def test_archives_are_rebuilt(cellar: Cellar, new_database: Callable[[], None]) -> None:
    assert cellar("migrate").status == 0  # notes that nothing is left to fill in, as in the new database
    before = rows()
    new_database()

    done = cellar("rebuild")

    assert (done.status, "2 archives are in the database again" in done.output, done.errors.strip()) == (0, True, "")
    assert rows() == before


def test_database_with_archives_is_refused_and_unchanged(cellar: Cellar) -> None:
    before = rows()

    done = cellar("rebuild")

    assert (done.status, "NOT_EMPTY" in done.errors, done.output) == (1, True, "")
    assert rows() == before


def test_damaged_version_is_named_and_others_are_rebuilt(cellar: Cellar, new_database: Callable[[], None]) -> None:
    other = archive_view.archive("two", CELLAR)
    found = inventory_of("one")
    store().overwrite_bytes(b"{", ocfl.content_key("one", found, found.versions[0].state["skeleton.json"]))
    new_database()

    done = cellar("rebuild")

    assert (done.status, f"not rebuilt: {ocfl.object_key('one')}/v1: " in done.errors) == (1, True)
    assert "1 archives are in the database again" in done.output
    assert archive_view.archive("two", CELLAR) == other


def test_database_without_tables_is_refused(cellar: Cellar, configure: Configure, tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/new.db")

    done = cellar("rebuild")

    assert (done.status, "cellar migrate" in done.errors, done.output) == (2, True, "")


@pytest.mark.parametrize("command", ["rebuild", "rotate-keys", "anchor"])
@pytest.mark.usefixtures("sqlite_installation", "store_kind")
def test_missing_store_is_refused_with_its_place(
    cellar: Cellar, configure: Configure, tmp_path: Path, command: str
) -> None:
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "letter.txt").touch()
    for place in ([] if settings().store_url else ["nowhere", "wrong"]) or [settings().store_location]:
        configure(store_url=tmp_path / place if "://" not in place else place)

        done = cellar(command)

        assert (done.status, done.output) == (2, "")
        assert f"{place} does not exist, or nothing was ever archived there; check CELLAR_STORE_URL" in done.errors
    assert [each.name for each in (tmp_path / "wrong").iterdir()] == ["letter.txt"]
