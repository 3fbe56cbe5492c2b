"""Who uses cellar, in which role, and what they do with it."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person or a token is there for. `domain/access.py` says what each may do.

    `owner` has all rights: whoever has the shell of the installation, or a token of its settings.
    """

    VIEWER = "viewer"
    CLERK = "clerk"
    OPERATOR = "operator"
    DATA = "data"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    OWNER = "owner"


class Action(StrEnum):
    """What is done. Each route, command and flow names one; the access log keeps it."""

    LIST_ARCHIVES = "list_archives"
    READ_ARCHIVE = "read_archive"
    UNMASK = "unmask"
    DOWNLOAD_FILE = "download_file"
    EXPORT_ARCHIVE = "export_archive"
    EXPORT_TABLE = "export_table"
    READ_TROUBLES = "read_troubles"
    RERUN = "rerun"
    DECIDE = "decide"
    RELEASE = "release"
    REDELIVER = "redeliver"
    SAVE_VIEW = "save_view"
    READ_TEMPLATES = "read_templates"
    CHANGE_TEMPLATES = "change_templates"
    READ_SETTINGS = "read_settings"
    CHANGE_SETTINGS = "change_settings"
    CHANGE_PEOPLE = "change_people"
    READ_LINKS = "read_links"
    REVOKE_LINK = "revoke_link"
    READ_ACCESS = "read_access"
    READ_METRICS = "read_metrics"
    READ_PREFECT = "read_prefect"
    ACT_IN_PREFECT = "act_in_prefect"
    ENTER = "enter"


@dataclass(frozen=True, slots=True)
class Caller:
    """A person who is signed in, a token, a flow, or the user of a shell.

    `name` is that of the login, never a typed one. `scope` is the facet that an archive must have for a clerk to see
    it, such as `source=haifa` or `label:branch=Haifa`; None: all archives. `address` is the client's; empty in a shell.
    """

    name: str
    role: Role
    scope: str | None = None
    address: str = ""

    @property
    def is_masked(self) -> bool:
        """Whether personal values are masked for this caller, and no personal value is searched for it."""
        return self.role is Role.VIEWER


CELLAR = Caller("cellar", Role.OWNER)
"""Cellar itself, where no person asks: the steps of its flows."""
