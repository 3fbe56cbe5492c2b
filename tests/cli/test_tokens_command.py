"""`cellar tokens`: what a machine gets, what ends it, and the record of commands."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from adapters.store.tokens import RECORDS
from adapters.store.tombstones import digest_of
from cli.options import shell
from models.access import AccessRow, Caller, Role
from models.people import LastUseRow
from services.access import uses
from services.access.tokens import caller_of
from tests.cli.conftest import Cellar
from tests.installations import archived
from tests.records import all_of
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def made(cellar: Cellar, *arguments: str) -> str:
    ended = cellar("tokens", "add", *arguments, "--json")
    assert ended.status == 0, ended.errors
    found = json.loads(ended.output)
    assert found.keys() == {"name", "token"}
    return str(found["token"])


def test_token_opens_as_its_role_until_it_is_revoked_and_shows_its_last_use(cellar: Cellar) -> None:
    token = made(cellar, "bi", "--role", "data", "--expires", "30d")

    assert caller_of(token, "192.0.2.7") == Caller("bi", Role.DATA, None, "192.0.2.7")
    kept = RECORDS.all()["bi"]
    assert token not in kept.model_dump_json()
    assert kept.expires_at is not None
    assert abs(kept.expires_at - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=10)
    uses.flush()
    assert ("token", "bi") in {(each.kind, each.name) for each in all_of(select(LastUseRow))}
    [listed] = json.loads(cellar("tokens", "list", "--json").output)["items"]
    assert (listed["role"], listed["created_by"], listed["last_used_at"] is None) == ("data", shell().name, False)
    assert "sha256" not in listed

    assert "revoked" in cellar("tokens", "revoke", "bi").output
    assert caller_of(token) is None
    assert cellar("tokens", "add", "bi", "--role", "data").status == 1


def test_token_ends_at_its_time(cellar: Cellar) -> None:
    token = made(cellar, "brief", "--role", "operator", "--expires", "0h")

    assert caller_of(token) is None


@pytest.mark.parametrize(
    ("given", "scope"),
    [
        (["--source", "default"], "source=default"),
        (["--facet", "label:BRANCH=Haifa"], "label:BRANCH=Haifa"),
        (["--facet", "BRANCH=Haifa"], "label:BRANCH=Haifa"),
    ],
)
def test_clerk_has_the_scope_of_a_source_or_of_a_facet(cellar: Cellar, given: list[str], scope: str) -> None:
    token = made(cellar, "clerk", "--role", "clerk", *given)

    assert caller_of(token) == Caller("clerk", Role.CLERK, scope)


@pytest.mark.parametrize(
    "given",
    [
        ["--role", "clerk"],
        ["--role", "clerk", "--facet", "field:unknown=1"],
        ["--role", "clerk", "--facet", "no equals sign"],
        ["--role", "clerk", "--source", "default", "--facet", "BRANCH=Haifa"],
        ["--role", "operator", "--source", "default"],
        ["--role", "owner"],
        ["--role", "everything"],
        ["--role", "viewer", "--expires", "soon"],
    ],
    ids=" ".join,
)
def test_token_that_would_see_too_much_or_nothing_is_wrong_use(cellar: Cellar, given: list[str]) -> None:
    assert cellar("tokens", "add", "x", *given).status == 2
    assert RECORDS.all() == {}


def test_command_is_recorded_as_the_user_of_the_shell_with_its_references(cellar: Cellar) -> None:
    archived("process-1", sample_body("process-1"))

    cellar("show", "process-1")
    cellar("list", "--q", "חיפה")
    cellar("status")

    rows = all_of(select(AccessRow))
    assert [(each.person, each.role, each.action, each.reference) for each in rows] == [
        (shell().name, "owner", "read_archive", digest_of("process-1")),
        (shell().name, "owner", "list_archives", None),
    ]
    assert "חיפה" not in str(rows[1].detail)
    assert "q" in rows[1].detail["searched"]
