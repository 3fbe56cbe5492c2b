"""The rules of access name each action, and roles that exist."""

import pytest

from domain.access import is_allowed
from models.access import Action, Role

PEOPLE = [each for each in Role if each is not Role.OWNER]


@pytest.mark.parametrize("action", Action)
def test_each_action_is_for_an_owner_and_for_some_role(action: Action) -> None:
    assert is_allowed(Role.OWNER, action)
    assert any(is_allowed(each, action) for each in PEOPLE)


@pytest.mark.parametrize(
    ("role", "may_not"),
    [
        (Role.VIEWER, {Action.DOWNLOAD_FILE, Action.EXPORT_ARCHIVE, Action.RERUN, Action.READ_ACCESS}),
        (Role.CLERK, {Action.READ_TROUBLES, Action.READ_TEMPLATES, Action.RERUN, Action.READ_PREFECT}),
        (Role.OPERATOR, {Action.READ_ACCESS, Action.CHANGE_PEOPLE, Action.CHANGE_SETTINGS}),
        (Role.DATA, {Action.DOWNLOAD_FILE, Action.EXPORT_ARCHIVE, Action.ACT_IN_PREFECT}),
        (Role.AUDITOR, {Action.RERUN, Action.DECIDE, Action.CHANGE_SETTINGS, Action.SAVE_VIEW, Action.UNMASK}),
        (Role.ADMINISTRATOR, {Action.LIST_ARCHIVES, Action.READ_ARCHIVE, Action.DOWNLOAD_FILE, Action.READ_TROUBLES}),
    ],
)
def test_no_role_does_what_it_is_not_there_for(role: Role, may_not: set[Action]) -> None:
    assert not {each for each in may_not if is_allowed(role, each)}
