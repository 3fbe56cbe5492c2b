"""The rules of access: which role may do what. They stand here and nowhere else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.access import Action, Role
from models.tables import Treatment

_RULES: dict[Action, str] = {
    # Content. A viewer sees personal values masked; a clerk sees the archives of one facet.
    Action.LIST_ARCHIVES: "viewer clerk operator data auditor",
    Action.READ_ARCHIVE: "viewer clerk operator data auditor",
    Action.UNMASK: "viewer",
    Action.DOWNLOAD_FILE: "clerk operator auditor",
    Action.EXPORT_ARCHIVE: "clerk operator auditor",
    Action.EXPORT_TABLE: "viewer clerk operator data auditor",
    # The installation as a whole: it names archives of every facet, so it is not for clerks.
    Action.READ_TROUBLES: "viewer operator data auditor",
    Action.FIND_PERSON: "operator",
    Action.RERUN: "operator",
    Action.ERASE: "operator",
    Action.HOLD: "operator auditor",
    Action.DECIDE: "operator",
    Action.RELEASE: "operator",
    Action.REDELIVER: "operator",
    Action.SAVE_VIEW: "operator",
    Action.READ_TEMPLATES: "viewer operator data auditor administrator",
    Action.CHANGE_TEMPLATES: "operator administrator",
    # Settings: sources, endpoints, people and tokens. They have no content.
    Action.READ_SETTINGS: "operator auditor administrator",
    Action.CHANGE_SETTINGS: "administrator",
    Action.READ_PEOPLE: "administrator",
    Action.CHANGE_PEOPLE: "administrator",
    Action.READ_LINKS: "operator auditor",
    Action.REVOKE_LINK: "operator",
    Action.READ_ACCESS: "auditor",
    # Machines.
    Action.READ_METRICS: "operator data administrator",
    Action.READ_PREFECT: "operator data",
    Action.ACT_IN_PREFECT: "operator",
    # Their own login, language and colours.
    Action.ENTER: "viewer clerk operator data auditor administrator",
}


def is_allowed(role: Role, action: Action) -> bool:
    """Return whether a role may do something. An owner may do all."""
    return role is Role.OWNER or role in _RULES[action].split()


_READ_BY_GET = re.compile(
    r"(?=/)(?!/api/(admin/s|block_documents|block_types/slug/[^/]*/block_documents))(/[\w.@:~-]+)*/?", re.ASCII
)
_READ_BY_POST = re.compile(
    r"/api/(?!block_documents/)[\w/-]+/(count|concurrency_status|filter|history|lateness|paginate)"
    r"|/api/ui/[\w/-]+|/api/events/count-by/[\w-]+",
    re.ASCII,
)


def action_in_prefect(method: str, path: str) -> Action:
    """Return what a request to Prefect's server does: it reads what is known to read only, and acts otherwise.

    Blocks may hold secrets, so whoever only reads does not see them. `path` is as it was sent: one with encoded
    characters, which could hide another path, is not known.
    """
    known = {"GET": _READ_BY_GET, "HEAD": _READ_BY_GET, "POST": _READ_BY_POST}.get(method)
    return Action.READ_PREFECT if known and known.fullmatch(path) else Action.ACT_IN_PREFECT


_UNSCOPED = "|".join(sorted(set(Role) - {Role.CLERK, Role.OWNER}))
_GIVEN = re.compile(
    rf"(?P<group>.+?)=(?:(?P<role>{_UNSCOPED})|clerk@(?P<scope>source=[a-z0-9-]+|(?:label|field):[^=]+=.+))"
)


@dataclass(frozen=True, slots=True)
class GroupRole:
    """The role, and for clerks the scope, of the people of a provider's group."""

    group: str
    role: Role
    scope: str | None


def read_group_roles(lines: Sequence[str]) -> list[GroupRole]:
    """Read `GROUP=ROLE`, or `GROUP=clerk@SCOPE`. Raises ValueError if a line is none of them."""
    found = []
    for line in lines:
        given = _GIVEN.fullmatch(line)
        if given is None:
            raise ValueError("expected GROUP=ROLE, or GROUP=clerk@SCOPE such as tellers=clerk@label:branch=Haifa")
        found.append(GroupRole(given["group"], Role(given["role"] or Role.CLERK), given["scope"]))
    return found


def role_of(groups: Sequence[str], given: Sequence[GroupRole]) -> GroupRole | None:
    """Return the first line of `given` that fits one of a person's groups; None if there is none."""
    return next((each for each in given if each.group in groups), None)


def read_treatments(lines: Sequence[str]) -> dict[Role, Treatment]:
    """Read what roles get of personal columns of tables, as `ROLE=TREATMENT`. Viewers see no personal value, and no
    key: what looks personal in a row is a mask before.

    Raises ValueError if a line is none.
    """
    found = {Role.VIEWER: Treatment.MASKED, Role.DATA: Treatment.KEYED}
    for line in lines:
        role, _, how = line.partition("=")
        of_viewers = role == Role.VIEWER and how in (Treatment.WHOLE, Treatment.KEYED)
        if how not in set(Treatment) or role not in set(Role) or of_viewers:
            raise ValueError(
                f"expected ROLE=TREATMENT with one of {', '.join(Treatment)}; viewers get no values and no keys"
            )
        found[Role(role)] = Treatment(how)
    return found
