"""Secrets in files: a folder with one file for each variable, as orchestrators and systemd make it."""

from pathlib import Path

import pytest

from adapters.settings.environment import settings_environment
from models.errors import WrongUse
from tests.conftest import Configure

NEW, OLD, TOKEN = "the new secret of the sender", "the old secret of the sender", "a token " * 4 + "!"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    made.mkdir()
    return made


def test_each_file_is_the_value_of_its_variable_unless_the_environment_has_one(
    configure: Configure, folder: Path
) -> None:
    (folder / "CELLAR_WEBHOOK_SECRETS").write_text(f"{NEW},{OLD}\n")
    (folder / "CELLAR_DATABASE_URL").write_text("postgresql://u:p@db/cellar\n")
    (folder / "PREFECT_API_AUTH_STRING").write_text("user:password\n")
    (folder / "prefect-server.env").write_text("of another program")

    made = configure(secrets_dir=folder)

    assert made.active_webhook_secrets() == (NEW, OLD)
    assert made.database_location == "postgresql://u:p@db/cellar"
    assert made.prefect_auth == ("user", "password")
    (folder / "PREFECT_API_AUTH_STRING").write_text(":password\n")
    made = configure(webhook_secrets="from the environment itself")
    assert (made.prefect_auth, made.webhook_secrets) == (("", "password"), ("from the environment itself",))


def test_files_that_an_orchestrator_links_are_read(configure: Configure, folder: Path) -> None:
    """Kubernetes replaces all files of a volume at once, by one link."""
    (folder / "..2026_01_01").mkdir()
    (folder / "..data").symlink_to("..2026_01_01")
    (folder / "..data" / "CELLAR_API_TOKENS").write_text(TOKEN)
    (folder / "CELLAR_API_TOKENS").symlink_to("..data/CELLAR_API_TOKENS")

    assert configure(secrets_dir=folder).active_api_tokens() == (TOKEN,)


def test_misspelled_file_is_refused_with_the_nearest_setting(configure: Configure, folder: Path) -> None:
    (folder / "CELLAR_API_TOKEN").write_text("hidden")

    with pytest.raises(WrongUse, match="did you mean CELLAR_API_TOKENS") as refused:
        configure(secrets_dir=folder)

    assert "hidden" not in str(refused.value)


def test_folder_that_does_not_exist_is_refused(configure: Configure, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="CELLAR_SECRETS_DIR: expected a folder that exists"):
        configure(secrets_dir=tmp_path / "none")


def test_env_file_may_name_the_folder_which_programs_that_cellar_starts_find(
    configure: Configure, folder: Path, tmp_path: Path
) -> None:
    (folder / "CELLAR_LINK_SECRET").write_text(TOKEN)
    (tmp_path / ".env").write_text("CELLAR_SECRETS_DIR=secrets\n")

    made = configure()

    assert made.active_link_secret() == TOKEN
    assert settings_environment(made)["CELLAR_SECRETS_DIR"] == str(folder)
