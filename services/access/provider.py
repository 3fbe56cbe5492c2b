"""Signs people in whom an OpenID Connect provider knows."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.peers import oidc
from adapters.peers.oidc import Begun
from adapters.settings.settings import settings
from adapters.store import users
from domain.access import read_group_roles, role_of
from models.access import Caller, Identity, Role

_NAMES = ("preferred_username", "email", "sub")
_LONGEST = 200


async def caller_of(begun: Begun, code: str, address: str) -> tuple[Caller, bool]:
    """Return who comes back from the provider, and whether one of their groups has a role; else as a viewer.

    Raises as `oidc.claims_of` does.
    """
    claims = await oidc.claims_of(begun, code)
    told, name = claims.get("groups", []), await asyncio.to_thread(name_of, claims)
    given = role_of(told if isinstance(told, list) else [told], read_group_roles(settings().oidc_roles))
    if given is None:
        return Caller(name, Role.VIEWER, address=address), False
    return Caller(name, given.role, given.scope, address), True


def name_of(claims: Mapping[str, Any]) -> str:
    """Return how records name a person, who is known by issuer and subject: always as at the first login.

    Who is told by a name that another person has gets a mark behind it. Raises Conflict if the record is damaged.
    """
    told = _told(claims)
    new = Identity(issuer=settings().oidc_issuer, subject=claims["sub"], name=told)
    if known := users.IDENTITIES.find(new.key):
        return known.name
    if any(each.name == told for each in users.IDENTITIES.readable()):
        new = new.model_copy(update={"name": f"{told}~{new.key[:8]}"})
    return users.IDENTITIES.change(new.key, lambda before: before or new).name


def _told(claims: Mapping[str, Any]) -> str:
    """Return the name of a person. It has an `@`, so it is the name of no local user and of no token."""
    told = (claims.get(each) for each in _NAMES)
    readable = (each for each in told if isinstance(each, str) and each.strip() and each.isprintable())
    name = next(readable, ascii(claims["sub"])).replace("~", "-")
    return name[:_LONGEST] if "@" in name else f"{name[:_LONGEST]}@{urlsplit(settings().oidc_issuer).hostname}"
