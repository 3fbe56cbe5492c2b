"""Every command that a text names exists and takes its options, and every setting exists."""

import re
from pathlib import Path

import pytest
import yaml

from tests.advice.named import (
    ROOT,
    SETTINGS,
    commands_in,
    fault_of,
    pairs_of_console,
    plain_commands_in,
    sentences_of_source,
    settings_in,
    texts_of_pages,
    texts_of_source,
)
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.installations import archived
from tests.samples import sample_body

_NAMES_OF_CONNECTIONS = {"receiver", "command"}
"""`cellar receiver` and `cellar command` are how connections to the database are named, and no commands."""
_NOUNS = {"export"}
"""A bag of `cellar export`: what made it, not what to run."""
_MARK = "CELLAR_UP"
"""With this variable `cellar up` marks its programs. It is no setting."""
_PROGRAMS = {"up", "api", "worker"}
"""Commands that run until they are stopped. `tests/end_to_end` starts each."""


def test_every_command_that_a_text_names_exists_and_takes_its_options() -> None:
    texts = [*texts_of_source(), *texts_of_pages()]
    named = {(place, command) for place, text in texts for command in commands_in(text)}

    assert len(named) > 200
    faults = [(place, fault_of(each)) for place, each in sorted(named) if each not in _NAMES_OF_CONNECTIONS]
    assert [(place, fault) for place, fault in faults if fault] == []


def test_every_command_that_a_sentence_quotes_has_the_arguments_that_it_needs() -> None:
    named = {(place, command) for place, text in sentences_of_source() for command in commands_in(text)}

    faults = [(place, fault_of(each, whole=True)) for place, each in sorted(named) if each not in _NOUNS]
    assert [(place, fault) for place, fault in faults if fault] == []


def test_check_of_commands_finds_what_does_not_exist() -> None:
    wrong = ["absent", "missing lst", "list --colour red", "endpoints redeliver NAME --force-all"]

    assert [bool(fault_of(each)) for each in [*wrong, "missing list --json", "rerun REFERENCE"]] == [True] * 4 + [
        False
    ] * 2


def test_every_text_of_the_console_names_commands_and_settings_that_exist_and_its_hebrew_names_the_same() -> None:
    for english, hebrew in pairs_of_console():
        assert [fault for each in plain_commands_in(english) if (fault := fault_of(each))] == []
        assert {*plain_commands_in(hebrew)} == {*plain_commands_in(english)}, english
        assert settings_in(hebrew) == settings_in(english), english


def test_every_setting_that_a_text_names_exists() -> None:
    named = {(place, each) for place, text in [*texts_of_source(), *texts_of_pages()] for each in settings_in(text)}

    assert len(named) > 100
    assert sorted((place, each) for place, each in named if each not in SETTINGS | {_MARK}) == []


@pytest.mark.usefixtures("sqlite_installation")
def test_every_command_of_a_runbook_runs_as_it_stands(cellar: Cellar, configure: Configure, tmp_path: Path) -> None:
    """Names of an archive, a source or a body are those of the installation."""
    archived("REFERENCE", sample_body("REFERENCE"))
    (tmp_path / "backups").mkdir()
    configure(backup_url=tmp_path / "backups")
    alerts = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yml").read_text())["groups"][0]["rules"]
    books = {each["alert"]: " ".join(each["annotations"]["runbook"].split()) for each in alerts}
    assert [alert for alert, book in books.items() if not re.search("`[^`]+`", book)] == []

    for command in sorted({command for book in books.values() for command in commands_in(book)}):
        if (words := command.split())[0] not in _PROGRAMS | {"rerun"} and "NAME" not in words:
            ended = cellar(*words)
            assert ended.status in (0, 1), (command, ended.errors)
