"""Sends archives to the webhook of a running receiver, looks them up in its JSON API, and compares the outcomes."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import quote

import httpx
from rich.progress import Progress

from cli.simulation.payloads.scenarios import Outcome

_FINAL_STATES = ("completed", "failed")


@dataclass(frozen=True)
class Sent:
    """An archive that was sent, without its body, so that many large archives fit into memory."""

    scenario: str
    reference: str
    expectation: Outcome
    found: Outcome

    @property
    def is_awaited(self) -> bool:
        return self.found.status == "0" and self.found.state not in _FINAL_STATES


@dataclass
class Comparison:
    """The outcomes of all archives, or the `error` that prevents a comparison; how many session events were sent and
    acknowledged; and the references of the archives that were left out.
    """

    url: str
    seed: int
    waited: bool
    error: str = ""
    sent: Sequence[Sent] = ()
    events: int = 0
    acknowledged: int = 0
    left_out: list[str] = field(default_factory=list)

    def differences(self, one: Sent) -> list[str]:
        """Return the names of the values that differ. If not `waited`, only the answer can be compared."""
        expected = one.expectation.comparable(waited=self.waited)
        return [name for name, value in expected.items() if getattr(one.found, name) != value]

    @property
    def as_expected(self) -> int:
        return sum(not self.differences(one) for one in self.sent)

    @property
    def is_good(self) -> bool:
        return not self.error and self.events == self.acknowledged and self.as_expected == len(self.sent)


_POLL_INTERVAL_S = 0.5
_ARCHIVES_PER_PAGE = 500
_MOST_PAGES = 20


class NoComparison(Exception):
    """Nothing can be compared: the receiver does not answer, or refuses the credentials. Its text says what to do."""


class Receiver:
    """A running receiver: the webhook of a source, or of the default source, and its JSON API."""

    def __init__(self, client: httpx.Client, url: str, secret: str, api_token: str, source: str = "") -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._webhook = f"{self._url}/webhooks/cellosign" + (f"/{quote(source, safe='')}" if source else "")
        self._secret = secret
        self._of_reader = {"Authorization": f"Bearer {api_token}"}

    def send(self, body: bytes) -> Outcome:
        """POST an archive and return the answer.

        Raises NoComparison if nothing listens at the URL, or the secret is wrong.
        """
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        try:
            answer = self._client.post(self._webhook, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._nothing_listens(error) from error
        except httpx.TransportError as error:
            return Outcome(f"no answer: {type(error).__name__}")
        self._refuse_if_shut_out(answer, "secret", "--secret or CELLAR_WEBHOOK_SECRETS")
        return _answered(answer)

    def look_up(self, sent: Sent) -> Sent:
        """Return the archive with its present result from the API; unchanged if the API does not know it.

        If the API does not work, `state` says so and is not final, since the API may recover.

        Raises NoComparison if the token is wrong, or the answer does not have the documented shape.
        """
        try:
            answer = self._get(f"/{quote(sent.reference, safe='')}")
        except httpx.TransportError as error:
            return replace(sent, found=replace(sent.found, state=f"no answer: {type(error).__name__}"))
        match answer.status_code:
            case HTTPStatus.OK:
                return replace(sent, found=_with_archive(sent.found, answer))
            case HTTPStatus.NOT_FOUND:
                return sent
            case status:
                return replace(sent, found=replace(sent.found, state=f"HTTP {status}"))

    def holds_only(self, templates: Collection[str], reference: str) -> bool | None:
        """Return whether each archive of the receiver has one of the templates, or is the archive with the reference.

        Returns None if that cannot be known.

        Raises NoComparison if nothing listens at the URL, or the token is wrong.
        """
        query = {"limit": str(_ARCHIVES_PER_PAGE)}
        for _ in range(_MOST_PAGES):
            try:
                answer = self._get("", query)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise self._nothing_listens(error) from error
            except httpx.TransportError:
                return None
            try:
                page = answer.raise_for_status().json()
                unknown = (each for each in page["items"] if each["template_id"] not in templates)
                if any(each["reference"] != reference for each in unknown):
                    return False
            except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
                return None
            if page["next"] is None:
                return True
            query["cursor"] = page["next"]
        return None

    def _get(self, path: str, query: dict[str, str] | None = None) -> httpx.Response:
        answer = self._client.get(f"{self._url}/api/archives{path}", params=query, headers=self._of_reader)
        self._refuse_if_shut_out(answer, "token", "--api-token or CELLAR_API_TOKENS")
        return answer

    def _nothing_listens(self, error: Exception) -> NoComparison:
        what_to_do = "Start the receiver with `make up`, or name another with --url."
        return NoComparison(f"Nothing listens at {self._url} ({error}). {what_to_do}")

    def _refuse_if_shut_out(self, answer: httpx.Response, credential: str, where: str) -> None:
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise NoComparison(f"{self._url} refuses the {credential} (HTTP {answer.status_code}). Set {where}.")


def _answered(answer: httpx.Response) -> Outcome:
    try:
        told = answer.json()
        return Outcome(status=told["status"], errordesc=told["errordesc"])
    except (ValueError, KeyError, TypeError):
        return Outcome(f"HTTP {answer.status_code}, not the documented answer")


def _with_archive(found: Outcome, answer: httpx.Response) -> Outcome:
    try:
        archive = answer.json()
        return replace(
            found,
            state=archive["state"],
            files=len(archive["files"]),
            warnings=tuple(sorted({one["code"] for one in archive["warnings"]})),
            discrepancies=tuple(sorted({one["code"] for one in archive["discrepancies"]})),
            standings=tuple(one["standing"] for one in archive["payments"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NoComparison(
            f"{answer.url} does not answer with an archive ({error!r}). Is it a receiver of cellar?"
        ) from error


def wait_for_all(receiver: Receiver, sent: Sequence[Sent], wait_s: float, progress: Progress) -> list[Sent]:
    """Look up each accepted archive until it is completed or failed, for at most `wait_s` seconds.

    A refused archive is looked up once: the API should not know it.
    """
    deadline = time.monotonic() + wait_s
    bar = progress.add_task("Finishing", total=len(sent))
    looked_up = [receiver.look_up(one) for one in sent]
    while any(one.is_awaited for one in looked_up) and time.monotonic() < deadline:
        progress.update(bar, completed=sum(not one.is_awaited for one in looked_up))
        time.sleep(_POLL_INTERVAL_S)
        looked_up = [receiver.look_up(one) if one.is_awaited else one for one in looked_up]
    progress.update(bar, completed=sum(not one.is_awaited for one in looked_up))
    return looked_up
