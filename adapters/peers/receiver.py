"""Asks a running receiver whether it is ready."""

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ValidationError

from adapters.peers.addresses import bounded
from adapters.settings.settings import settings
from models.errors import Transient

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # recognised, not bound
_MOST_BYTES = 16 << 20
_TIMEOUT_S = 8  # the receiver itself waits up to 5 s for its inbox


class _Readiness(BaseModel):
    status: str
    reason: str | None
    processes: int = 1
    """An older receiver does not say it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A receiver that answers. `reason` says why it is not ready; None if it is."""

    url: str
    reason: str | None
    processes: int
    """How many processes serve its port."""


def local_url() -> str:
    """Return the URL of the receiver on this machine, which may differ from its public URL."""
    return _url_at(settings().host, settings().port)


def listens_at(host: str, port: int) -> str | None:
    """Return the URL of the receiver at an address of this machine; None if no receiver answers there."""
    url = _url_at(host, port)
    try:
        return _asked(url, _client(trust_env=False)).url
    except (httpx.ConnectError, Transient):
        return None


def _url_at(host: str, port: int) -> str:
    host = _ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def readiness() -> Ready:
    """Ask the receiver on this machine; if none listens here and it has a public URL, the receiver there.

    Raises Transient if no receiver answers, or another program does.
    """
    try:
        return _asked(local_url(), _client(trust_env=False))
    except httpx.ConnectError as error:
        if not settings().public_url:
            raise Transient(f"nothing listens at {local_url()}") from error
    url = settings().receiver_url
    try:
        return _asked(url, _client())
    except httpx.ConnectError as error:
        raise Transient(f"nothing listens at {local_url()} or {url}") from error


def unauthorised_by_source() -> dict[str, int]:
    """Return how many requests the receiver on this machine has refused for their secret since its start, by source.

    Raises Transient if no receiver answers.
    """
    token = {"authorization": f"Bearer {settings().active_api_tokens()[0]}"}
    try:
        with _client(trust_env=False) as client:
            text = client.get(f"{local_url()}/metrics", headers=token).raise_for_status().text
    except httpx.HTTPError as error:
        raise Transient(f"the receiver at {local_url()} shows no metrics: {type(error).__name__}") from error
    return {
        sample.labels["source"]: int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "cellar_source_deliveries_total" and sample.labels["outcome"] == "unauthorised"
    }


def _client(*, trust_env: bool = True) -> httpx.Client:
    """Return a client for another program's answer too. A proxy in the environment is for other hosts than this one."""
    return httpx.Client(trust_env=trust_env, **bounded(_MOST_BYTES, _TIMEOUT_S))


def _asked(url: str, client: httpx.Client) -> Ready:
    with client:
        try:
            answer = client.get(f"{url}/readyz")
        except httpx.ConnectError:
            raise
        except httpx.HTTPError as error:
            raise Transient(f"the receiver at {url} does not answer: {type(error).__name__}") from error
    try:
        found = _Readiness.model_validate_json(answer.content)
    except ValidationError as error:
        raise Transient(f"another program than cellar answers at {url}; stop it, or set CELLAR_PORT") from error
    return Ready(url, found.reason, found.processes)
