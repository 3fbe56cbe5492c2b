"""Asks an OpenID Connect provider who a person is: authorization code flow with PKCE, state and nonce.

Endpoints and keys of the provider are read at each login: logins are few, and a key that is withdrawn opens nothing.

Source: OpenID Connect Core 1.0, section 3.1; RFC 7636, "Proof Key for Code Exchange by OAuth Public Clients".
"""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel

from adapters.peers.addresses import bounded_async, proxy_to
from adapters.settings.settings import settings
from models.errors import Refused, Transient

_WITHIN_S = 10
_MOST_BYTES = 1 << 20
_LEEWAY_S = 60
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures by a key that the provider alone has: neither `none`, nor one by our secret."""


class Begun(BaseModel):
    """A login that has begun in a browser, which alone can end it."""

    state: str
    nonce: str
    verifier: str
    back_url: str
    then: str

    def is_answered_by(self, state: str) -> bool:
        return hmac.compare_digest(state.encode(), self.state.encode())


def begin(back_url: str, then: str) -> Begun:
    state, nonce, verifier = (secrets.token_urlsafe(each) for each in (32, 32, 48))
    return Begun(state=state, nonce=nonce, verifier=verifier, back_url=back_url, then=then)


async def login_url(begun: Begun) -> str:
    """Return the address at the provider to which a browser goes.

    Raises Transient if the provider does not answer, or not as one.
    """
    async with await _client() as client:
        metadata = await _metadata(client)
    asks_for_groups = " groups" if "groups" in metadata.get("scopes_supported", ()) else ""
    url: str = prepare_grant_uri(
        metadata["authorization_endpoint"],
        settings().oidc_client_id,
        "code",
        redirect_uri=begun.back_url,
        scope=f"openid profile email{asks_for_groups}",
        state=begun.state,
        nonce=begun.nonce,
        code_challenge=create_s256_code_challenge(begun.verifier),
        code_challenge_method="S256",
    )
    return url


async def claims_of(begun: Begun, code: str) -> Mapping[str, Any]:
    """Return what the provider says of the person who came back with a code: claims of the ID token, and its groups.

    Raises:
        Refused: the code is wrong or used, or the ID token is not for this login.
        Transient: the provider does not answer, or not as one.
    """
    form = {"grant_type": "authorization_code", "code": code}
    form |= {"redirect_uri": begun.back_url, "code_verifier": begun.verifier}
    us = quote(settings().oidc_client_id, safe=""), quote(settings().oidc_client_secret, safe="")
    async with await _client() as client:
        metadata = await _metadata(client)
        answer = await _asked(client, "POST", metadata["token_endpoint"], data=form, auth=us)
        keys = await _asked(client, "GET", metadata["jwks_uri"])
        access_token = answer.get("access_token")
        claims = _checked(answer.get("id_token"), keys, begun.nonce, access_token)
        if "groups" in claims or "userinfo_endpoint" not in metadata:
            return claims
        bearer = {"authorization": f"Bearer {access_token}"}
        told = await _asked(client, "GET", metadata["userinfo_endpoint"], headers=bearer)
        return {**told, **claims} if told.get("sub") == claims["sub"] else claims


def _checked(token: Any, keys: Any, nonce: str, access_token: Any) -> dict[str, Any]:
    try:
        decoded = jwt.decode(token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)
        params = {"client_id": settings().oidc_client_id, "nonce": nonce, "access_token": access_token}
        options = {
            "iss": {"essential": True, "value": settings().oidc_issuer},
            "aud": {"essential": True, "value": settings().oidc_client_id},
        }
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(leeway=_LEEWAY_S)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _refused(type(error).__name__) from error
    return dict(claims)


def _refused(why: str) -> Refused:
    return Refused("SIGN_IN_FAILED", f"the provider's answer is not for this login ({why}); sign in again", status=403)


async def _client() -> httpx.AsyncClient:
    proxy = await asyncio.to_thread(proxy_to, settings().oidc_issuer)
    return httpx.AsyncClient(proxy=proxy, trust_env=False, **bounded_async(_MOST_BYTES, _WITHIN_S))


async def _metadata(client: httpx.AsyncClient) -> Mapping[str, Any]:
    issuer = settings().oidc_issuer
    found = await _asked(client, "GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != issuer or not {"authorization_endpoint", "token_endpoint", "jwks_uri"} <= found.keys():
        raise _away("it states another issuer, or no endpoints; compare the URL")
    return found


async def _asked(client: httpx.AsyncClient, method: str, url: str, **options: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, url, **options)
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _away(type(error).__name__) from error
    if httpx.codes.is_client_error(answer.status_code) and method == "POST":
        raise _refused("the provider refuses the code")
    if not (answer.is_success and isinstance(found, dict)):
        raise _away(f"status {answer.status_code}")
    return found


def _away(why: str) -> Transient:
    return Transient(f"the provider of CELLAR_OIDC_ISSUER does not answer ({why})")
