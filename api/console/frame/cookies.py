"""The console's cookies: who visits, in which language and colours, with which columns. Scripts never see them.

A visitor has an id before signing in, so that the form of the login has a CSRF token too. Signing in gives a new id.
The id is signed with the time of the last page: a browser that opens none for
`CELLAR_IDLE_MINUTES` is nobody's.

Where `CELLAR_PUBLIC_URL` is https, names begin with `__Host-`: browsers take such a cookie over TLS from this host
alone, so no other host of the domain, and nobody on the network, plants one.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request, Response
from itsdangerous import BadSignature, Signer, TimestampSigner

from adapters.settings.settings import settings
from models.access import Caller

_LANGUAGE, _THEME = "cellar_language", "cellar_theme"
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


@dataclass(frozen=True, slots=True)
class _Signed:
    """A cookie that is signed with its time, and is nobody's after its seconds."""

    purpose: str
    lasts_s: Callable[[], int]

    def read(self, request: Request) -> str | None:
        """Return what the cookie holds; None if there is no cookie of ours."""
        sent = _get(request, f"cellar_{self.purpose}") or ""
        try:
            return _signer(self.purpose, TimestampSigner).unsign(sent, max_age=self.lasts_s()).decode()
        except (BadSignature, UnicodeDecodeError):
            return None

    def keep(self, request: Request, response: Response, text: str) -> None:
        """Keep a text; an empty one is forgotten."""
        signed = _signer(self.purpose, TimestampSigner).sign(text).decode() if text else ""
        _set(request, response, (f"cellar_{self.purpose}", signed), self.lasts_s() if text else 0)


VISITOR = _Signed("visitor", lambda: settings().idle_minutes * 60)
"""The id of a visitor."""
BEGUN = _Signed("provider", lambda: _PROVIDER_WITHIN_S)
"""A login that a browser ends when it comes back from the provider."""
COLUMNS = _Signed("columns", lambda: _CHOICE_LASTS_S)
"""The names of the columns that a person chose, with colons between."""
_KNOWN = _Signed("known", lambda: _KNOWN_FOR_S)


def known_browser(request: Request, name: str) -> str:
    """Return the id of a browser in which the user of a name has signed in before; empty in any other browser."""
    known, _, browser = (_KNOWN.read(request) or "").partition(":")
    return browser if known == name else ""


def keep_known(request: Request, response: Response, name: str) -> None:
    _KNOWN.keep(request, response, f"{name}:{known_browser(request, name) or secrets.token_urlsafe(16)}")


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
        secure=bool(_prefix()) or "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "")),
        httponly=True,
        samesite="lax",
    )


def _prefix() -> str:
    """Return what the names of cookies begin with. Browsers want `__Host-` on a `Secure` cookie with the path `/`."""
    return "__Host-" if settings().public_url.lower().startswith("https://") else ""


def _signer(purpose: str, kind: type[Kind]) -> Kind:
    return kind(settings().active_link_secret(), salt=f"console-{purpose}", digest_method=hashlib.sha256)
