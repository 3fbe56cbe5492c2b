"""`cellar users`: what each subcommand changes, and what it prints."""

import json
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from adapters.store.users import RECORDS
from models.access import AccessRow, Role
from services.access import users
from tests.cli.conftest import Cellar
from tests.installations import archived
from tests.records import all_of
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def test_user_is_added_changed_disabled_and_reset(cellar: Cellar) -> None:
    made = json.loads(cellar("users", "add", "dana", "--role", "operator", "--break-glass", "--json").output)
    assert users.user_of_link(made["link"].rpartition("/")[2], datetime.now(UTC)).name == "dana"
    assert cellar("users", "add", "dana", "--role", "viewer").status == 1
    assert cellar("users", "set", "dana", "--role", "clerk").status == 2

    steps = [("set", "--role", "clerk", "--source", "default"), ("disable",), ("enable",), ("reset",)]
    said = [cellar("users", step, "dana", *options).output for step, *options in steps]

    assert said[0] == "dana: clerk of source=default, no password yet, break-glass\n"
    assert "dana: clerk of source=default, disabled" in said[1]
    assert "/console/password/dana." in said[3]
    listed = json.loads(cellar("users", "list", "--json").output)["items"]
    assert [(each["name"], each["role"], each["scope"]) for each in listed] == [("dana", "clerk", "source=default")]
    kept = RECORDS.find("dana")
    assert kept is not None
    assert kept.link is not None
    assert kept.link not in json.dumps(listed) + cellar("users", "list").output
    assert cellar("users", "disable", "nobody").status == 1
    given = [row.detail["given"] for row in all_of(select(AccessRow)) if row.detail["command"] == "users add"]
    assert (given[0]["name"], given[0]["role"]) == ("dana", "operator")


def test_roles_that_are_offered_are_taken_and_a_scope_that_no_archive_has_is_a_warning(cellar: Cellar) -> None:
    archived("r", sample_body("r"))
    assert "owner" not in cellar("users", "add", "--help").output + cellar("tokens", "add", "--help").output
    taken = [
        cellar(kind, "add", f"{kind}-{role}", "--role", role, *(("--source", "default") if role == "clerk" else ()))
        for kind in ("users", "tokens")
        for role in set(Role) - {Role.OWNER}
    ]
    assert {(each.status, each.errors) for each in taken} == {(0, "")}
    for kind in ("users", "tokens"):
        lacking = cellar(kind, "add", "y", "--role", "clerk")
        assert (lacking.status, "--facet" in lacking.errors, "--role" in lacking.errors) == (2, False, True)
        warned = cellar(kind, "add", f"z-{kind}", "--role", "clerk", "--facet", "label:bureau=Haifa", "--json")
        assert (warned.status, "no archive has label:bureau=Haifa" in warned.errors) == (0, True)
        assert json.loads(warned.output)["name"] == f"z-{kind}"
