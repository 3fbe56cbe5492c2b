"""The console's cookies: who visits, in which language and colours, with which columns. Scripts never see them.

A visitor has an id before signing in, so that the form of the login has a CSRF token too. Signing in gives a new id.
The id is signed with the time of the last page: a browser that opens none for
`CELLAR_IDLE_MINUTES` is nobody's.

Where `CELLAR_PUBLIC_URL` is https, names begin with `__Host-`: browsers take such a cookie over TLS from this host
alone, so no other host of the domain, and nobody on the network, plants one.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request, Response
from itsdangerous import BadSignature, Signer, TimestampSigner

from adapters.settings.settings import settings
from models.access import Caller

_VISITOR, _LANGUAGE, _THEME = "cellar_visitor", "cellar_language", "cellar_theme"
_COLUMNS = "cellar_columns"
_KNOWN, _PROVIDER = "cellar_known", "cellar_provider"
_CHOICE_LASTS_S, _KNOWN_FOR_S, _PROVIDER_WITHIN_S = 365 * 86_400, 180 * 86_400, 600
ROOT = "/console"
Kind = TypeVar("Kind", bound=Signer)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser that visits the console. `caller`: who is signed in."""

    visitor_id: str
    is_new: bool
    caller: Caller | None = None

    @property
    def csrf_token(self) -> str:
        return _signer("csrf", Signer).get_signature(self.visitor_id).decode()


def visitor_id_of(request: Request) -> str | None:
    """Return the id that a visitor's cookie holds; None if there is no cookie of ours."""
    return _unsigned(request, _VISITOR, "visitor", _idle_s())


def new_visitor_id() -> str:
    return secrets.token_urlsafe(32)


def keep_visitor(request: Request, response: Response, visitor_id: str) -> None:
    _set(request, response, (_VISITOR, _signer("visitor", TimestampSigner).sign(visitor_id).decode()), _idle_s())


def forget_visitor(request: Request, response: Response) -> None:
    _set(request, response, (_VISITOR, ""), 0)


def known_browser(request: Request, name: str) -> str:
    """Return the id of a browser in which the user of a name has signed in before; empty in any other browser."""
    known, _, browser = (_unsigned(request, _KNOWN, "known", _KNOWN_FOR_S) or "").partition(":")
    return browser if known == name else ""


def keep_known(request: Request, response: Response, name: str) -> None:
    browser = known_browser(request, name) or secrets.token_urlsafe(16)
    signed = _signer("known", TimestampSigner).sign(f"{name}:{browser}").decode()
    _set(request, response, (_KNOWN, signed), _KNOWN_FOR_S)


def begun_at_provider(request: Request) -> str | None:
    """Return what `keep_begun` has kept in this browser in the last ten minutes."""
    return _unsigned(request, _PROVIDER, "provider", _PROVIDER_WITHIN_S)


def keep_begun(request: Request, response: Response, begun: str) -> None:
    """Keep a login that a browser ends when it comes back from the provider; an empty one is forgotten."""
    signed = _signer("provider", TimestampSigner).sign(begun).decode() if begun else ""
    _set(request, response, (_PROVIDER, signed), _PROVIDER_WITHIN_S if begun else 0)


def language_choice(request: Request) -> str | None:
    return _get(request, _LANGUAGE)


def theme_choice(request: Request) -> str:
    """Return `light` or `dark` as a person chose it, else `auto`: as their system has it."""
    chosen = _get(request, _THEME)
    return chosen if chosen and chosen in ("light", "dark") else "auto"


def keep_choices(request: Request, response: Response, language: str | None, theme: str | None) -> None:
    for name, value in ((_LANGUAGE, language), (_THEME, theme)):
        if value is not None:
            _set(request, response, (name, value), _CHOICE_LASTS_S)


def columns_choice(request: Request) -> list[str] | None:
    """Return the names of the columns that a person chose; None if there is no choice of ours."""
    try:
        return _signer("columns", Signer).unsign(_get(request, _COLUMNS) or "").decode().split(":")
    except (BadSignature, UnicodeDecodeError):
        return None


def keep_columns(request: Request, response: Response, names: Sequence[str]) -> None:
    signed = _signer("columns", Signer).sign(":".join(names)).decode()
    _set(request, response, (_COLUMNS, signed), _CHOICE_LASTS_S)


def forget_columns(request: Request, response: Response) -> None:
    _set(request, response, (_COLUMNS, ""), 0)


def _get(request: Request, name: str) -> str | None:
    return request.cookies.get(_prefix() + name)


def _set(request: Request, response: Response, cookie: tuple[str, str], lasts_s: int) -> None:
    """Set a cookie that a link from a mail or from Prefect's UI brings along, and a form of another site does not."""
    name, value = cookie
    response.set_cookie(
        _prefix() + name,
        value,
        max_age=lasts_s,
        path="/" if _prefix() else ROOT,
        secure=bool(_prefix()) or _is_https(request),
        httponly=True,
        samesite="lax",
    )


def _unsigned(request: Request, name: str, purpose: str, within_s: int) -> str | None:
    try:
        return _signer(purpose, TimestampSigner).unsign(_get(request, name) or "", max_age=within_s).decode()
    except (BadSignature, UnicodeDecodeError):
        return None


def _idle_s() -> int:
    return settings().idle_minutes * 60


def _prefix() -> str:
    """Return what the names of cookies begin with. Browsers want `__Host-` on a `Secure` cookie with the path `/`."""
    return "__Host-" if settings().public_url.lower().startswith("https://") else ""


def _is_https(request: Request) -> bool:
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))


def _signer(purpose: str, kind: type[Kind]) -> Kind:
    return kind(settings().active_link_secret(), salt=f"console-{purpose}", digest_method=hashlib.sha256)
