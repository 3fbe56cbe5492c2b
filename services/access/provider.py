"""Signs people in whom an OpenID Connect provider knows."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.peers import oidc
from adapters.peers.oidc import Begun
from adapters.settings.settings import settings
from domain.access import read_group_roles, role_of
from models.access import Caller, Role

_NAMES = ("preferred_username", "email", "sub")
_LONGEST = 200


async def caller_of(begun: Begun, code: str, address: str) -> tuple[Caller, bool]:
    """Return who comes back from the provider, and whether one of their groups has a role; else as a viewer.

    Raises as `oidc.claims_of` does.
    """
    claims = await oidc.claims_of(begun, code)
    told = claims.get("groups", [])
    given = role_of(told if isinstance(told, list) else [told], read_group_roles(settings().oidc_roles))
    if given is None:
        return Caller(_name_of(claims), Role.VIEWER, address=address), False
    return Caller(_name_of(claims), given.role, given.scope, address), True


def _name_of(claims: Mapping[str, Any]) -> str:
    """Return how records name a person. It has an `@`, so it is the name of no local user and of no token."""
    told = (claims.get(each) for each in _NAMES)
    readable = (each for each in told if isinstance(each, str) and each.strip() and each.isprintable())
    name = next(readable, ascii(claims["sub"]))
    return name[:_LONGEST] if "@" in name else f"{name[:_LONGEST]}@{urlsplit(settings().oidc_issuer).hostname}"
