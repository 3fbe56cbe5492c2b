"""Passes the settings of `cellar up` to its programs in their environment."""

import os
from pathlib import Path

import pytest

from adapters.settings.environment import prefect_environment, prefect_server_environment, settings_environment
from adapters.settings.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CELLAR_", "PREFECT_"))]:
        monkeypatch.delenv(name)


def test_default_settings_pass_only_the_data_folder(tmp_path: Path) -> None:
    assert settings_environment(Settings()) == {"CELLAR_DATA_DIR": str(tmp_path / "data")}


def test_relative_paths_of_a_dotenv_file_become_absolute(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "CELLAR_DATA_DIR=here\nCELLAR_INBOX_URL=in\nCELLAR_STORE_URL=out\nCELLAR_DATABASE_URL=sqlite:///rows.db\n"
    )
    assert settings_environment(Settings()) == {
        "CELLAR_DATA_DIR": str(tmp_path / "here"),
        "CELLAR_INBOX_URL": str(tmp_path / "in"),
        "CELLAR_STORE_URL": str(tmp_path / "out"),
        "CELLAR_DATABASE_URL": f"sqlite:///{tmp_path / 'rows.db'}",
    }


def test_relative_paths_of_settlement_settings_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "columns.toml").write_text("currency = 'ILS'\n[columns]\namount = 'a'\nsettled_on = 's'\ncguid = 'c'\n")

    passed = settings_environment(Settings(settlement_columns=Path("columns.toml"), settlements_url="reports"))

    assert passed["CELLAR_SETTLEMENT_COLUMNS"] == str(tmp_path / "columns.toml")
    assert passed["CELLAR_SETTLEMENTS_URL"] == str(tmp_path / "reports")


def test_urls_of_buckets_and_database_servers_are_unchanged() -> None:
    passed = settings_environment(Settings(store_url="s3://bucket/archives", database_url="postgresql://host/rows"))
    assert passed["CELLAR_STORE_URL"] == "s3://bucket/archives"
    assert passed["CELLAR_DATABASE_URL"] == "postgresql://host/rows"


@pytest.mark.parametrize(
    "made",
    [
        {
            "webhook_secrets": ("the old secret of all", "the new secret of all"),
            "notify_allow_private": True,
            "port": 9,
        },
        {"timezone": "Asia/Jerusalem", "max_body_bytes": 1000, "public_url": "https://cellar.example"},
    ],
)
def test_program_reads_the_same_settings(made: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Settings.model_validate(made)
    for name, value in settings_environment(ours).items():
        monkeypatch.setenv(name, value)
    assert Settings() == ours.model_copy(update={"data_dir": ours.data_dir.absolute()})


def test_embedded_prefect_has_its_home_in_the_data_folder_and_its_own_port(tmp_path: Path) -> None:
    settings = Settings(prefect_port=4321)
    assert prefect_environment(settings)["PREFECT_HOME"] == str(tmp_path / "data" / "prefect")
    assert prefect_environment(settings)["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert prefect_server_environment(settings)["PREFECT_SERVER_UI_API_URL"] == "http://127.0.0.1:4321/api"


def test_external_prefect_server_gets_no_home_folder() -> None:
    environment = prefect_environment(Settings(prefect_api_url="http://prefect.example/api"))
    assert environment["PREFECT_API_URL"] == "http://prefect.example/api"
    assert "PREFECT_HOME" not in environment
