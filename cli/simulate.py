"""`cellar simulate`: sends realistic archives to a receiver and compares what becomes of them with what should."""

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Column, Table

from adapters.platform.settings import settings
from cli.simulation.expectations import Expectation, SimulatedArchive

_POLL_INTERVAL_S = 0.5
_TIMEOUT = httpx.Timeout(60, connect=5)
_WIDTH_IN_FILES = 200
_FINAL_STATES = ("completed", "failed")

Told = dict[str, str | int | tuple[str, ...] | None]


class NoComparison(Exception):
    """Nothing can be compared: the receiver is not there, or does not let us in. The message says what to do."""


@dataclass(frozen=True)
class Found:
    """What the receiver made of an archive. `status` is its answer, or why there is none that could be read.

    `state` is None when the API knows no such archive, or was not asked. Codes are in alphabetical order, standings in
    the order of the payload.
    """

    status: str
    errordesc: str = ""
    state: str | None = None
    files: int = 0
    warnings: tuple[str, ...] = ()
    discrepancies: tuple[str, ...] = ()
    standings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """An archive that was sent; its body is forgotten, so that many large ones can be."""

    scenario: str
    reference: str
    expectation: Expectation
    found: Found

    @property
    def is_awaited(self) -> bool:
        return self.found.status == "0" and self.found.state not in _FINAL_STATES


def differences(expectation: Expectation, found: Found, *, waited: bool) -> list[str]:
    """Return the names of what is not as expected; without having waited only the answer can be compared. Pure."""
    return [name for name, value in _comparable(expectation, waited=waited).items() if getattr(found, name) != value]


def _comparable(expectation: Expectation, *, waited: bool) -> Told:
    """What of an expectation can be compared, by the names and with the types of `Found`."""
    if not waited:
        return {"status": expectation.status}
    return {
        "status": expectation.status,
        "state": expectation.state,
        "files": expectation.files,
        "warnings": tuple(sorted(expectation.warnings)),
        "discrepancies": tuple(sorted(expectation.discrepancies)),
        "standings": expectation.standings,
    }


class Receiver:
    """A running receiver: its webhook and its JSON API."""

    def __init__(self, client: httpx.Client, url: str, secret: str, api_token: str) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._secret = secret
        self._api_token = api_token

    def send(self, body: bytes) -> Found:
        """POST an archive and return the answer.

        Raises:
            NoComparison: nothing listens there, or the secret is wrong.
        """
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        try:
            answer = self._client.post(f"{self._url}/webhooks/cellosign", content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            what_to_do = "Start the receiver with `make up`, or name another with --url."
            raise NoComparison(f"Nothing listens at {self._url} ({error}). {what_to_do}") from error
        except httpx.TransportError as error:
            return Found(f"no answer: {type(error).__name__}")
        self._refuse_if_shut_out(answer, "secret", "--secret or CELLAR_WEBHOOK_SECRETS")
        return _answered(answer)

    def look_up(self, sent: Sent) -> Sent:
        """Return the archive with what the API tells of it now; unchanged when the API does not know it.

        An API that is down or broken may come back: its `state` then says so, and is no final one.

        Raises:
            NoComparison: the token is wrong, or the answer has not the documented shape.
        """
        try:
            answer = self._client.get(
                f"{self._url}/api/archives/{quote(sent.reference, safe='')}",
                headers={"Authorization": f"Bearer {self._api_token}"},
            )
        except httpx.TransportError as error:
            return replace(sent, found=replace(sent.found, state=f"no answer: {type(error).__name__}"))
        self._refuse_if_shut_out(answer, "token", "--api-token or CELLAR_API_TOKENS")
        match answer.status_code:
            case HTTPStatus.OK:
                return replace(sent, found=_told(sent.found, answer))
            case HTTPStatus.NOT_FOUND:
                return sent
            case status:
                return replace(sent, found=replace(sent.found, state=f"HTTP {status}"))

    def _refuse_if_shut_out(self, answer: httpx.Response, credential: str, where: str) -> None:
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise NoComparison(f"{self._url} refuses the {credential} (HTTP {answer.status_code}). Set {where}.")


def _answered(answer: httpx.Response) -> Found:
    try:
        told = answer.json()
        return Found(status=told["status"], errordesc=told["errordesc"])
    except (ValueError, KeyError, TypeError):
        return Found(f"HTTP {answer.status_code}, not the documented answer")


def _told(found: Found, answer: httpx.Response) -> Found:
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
        raise NoComparison(f"{answer.url} does not answer with an archive ({error!r}). Is that a cellar?") from error


def send_all(receiver: Receiver, archives: Iterable[SimulatedArchive], count: int, progress: Progress) -> list[Sent]:
    """Send one archive after the other, each made when it is its turn."""
    return [
        Sent(one.scenario, one.reference, one.expectation, receiver.send(one.body))
        for one in progress.track(archives, total=count, description="Sending")
    ]


def wait_for_all(receiver: Receiver, sent: Sequence[Sent], wait_s: float, progress: Progress) -> list[Sent]:
    """Ask for each accepted archive until it is completed or failed, for `wait_s` seconds at the most.

    A refused archive is asked for once: the API should not know it.
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


@dataclass(frozen=True)
class Comparison:
    """What became of all archives, or the `error` for which it is not known."""

    url: str
    seed: int
    waited: bool
    sent: Sequence[Sent]
    error: str = ""

    def differences(self, one: Sent) -> list[str]:
        return differences(one.expectation, one.found, waited=self.waited)

    @property
    def as_expected(self) -> int:
        return sum(not self.differences(one) for one in self.sent)

    @property
    def is_good(self) -> bool:
        return not self.error and self.as_expected == len(self.sent)


def compare(receiver: Receiver, count: int, seed: int, wait_s: float | None, progress: Progress) -> Sequence[Sent]:
    """Send `count` archives and return what became of them; a `wait_s` of None looks at the answers only.

    Raises:
        NoComparison: nothing can be compared.
    """
    from cli.simulation.archives import simulated_archives  # noqa: PLC0415 -- pyHanko takes a second to import

    archives = simulated_archives(count, seed=seed, now=datetime.now(UTC))
    sent = send_all(receiver, archives, count, progress)
    return sent if wait_s is None else wait_for_all(receiver, sent, wait_s, progress)


def simulate(  # noqa: PLR0913 - the options of a command
    *,
    count: Annotated[int, typer.Option(min=1, help="Archives to send; with 20 or more each scenario occurs.")] = 20,
    url: Annotated[str, typer.Option(help="The receiver.", show_default="this installation's")] = "",
    secret: Annotated[str, typer.Option(help="Its webhook secret.", show_default="this installation's")] = "",
    api_token: Annotated[str, typer.Option(help="Token of its JSON API.", show_default="this installation's")] = "",
    seed: Annotated[int | None, typer.Option(help="The same seed sends the same archives. Default: a new one.")] = None,
    wait_s: Annotated[float, typer.Option(min=0, help="Longest time to wait until all are finished.")] = 300,
    wait: Annotated[bool, typer.Option(help="Compare what becomes of the archives, not the answers only.")] = True,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Send realistic archives to a receiver, some of them faulty, and compare what becomes of them with what should.

    The exit status is 0 when all is as expected, 1 when something is not, and 2 for wrong use.
    """
    url = url or settings().receiver_url
    if not _is_http_url(url):
        typer.echo(f"{url!r} is no address of a receiver; expected something like http://127.0.0.1:8000.", err=True)
        return 2
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    bars = Console(stderr=True)
    comparison = Comparison(url, seed, wait, [])
    with httpx.Client(timeout=_TIMEOUT) as client, Progress(console=bars, disable=not bars.is_terminal) as progress:
        secret = secret or settings().active_webhook_secrets()[0]
        api_token = api_token or settings().active_api_tokens()[0]
        receiver = Receiver(client, url, secret, api_token)
        try:
            sent = compare(receiver, count, seed, wait_s if wait else None, progress)
            comparison = replace(comparison, sent=sent)
        except NoComparison as error:
            comparison = replace(comparison, error=str(error))
    _print_json(comparison) if json_output else _print_table(comparison)
    return 0 if comparison.is_good else 1


def _is_http_url(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and parsed.host != ""


def _print_json(comparison: Comparison) -> None:
    archives = [
        {
            "scenario": one.scenario,
            "reference": one.reference,
            "expected": _comparable(one.expectation, waited=comparison.waited),
            "found": asdict(one.found),
            "differences": comparison.differences(one),
        }
        for one in comparison.sent
    ]
    document = {
        "url": comparison.url,
        "seed": comparison.seed,
        "waited": comparison.waited,
        "ok": comparison.is_good,
        "error": comparison.error,
        "archives": archives,
    }
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _print_table(comparison: Comparison) -> None:
    if comparison.error:
        typer.echo(comparison.error, err=True)
        return
    table = Table("scenario", Column("reference", overflow="fold"), "expected", "found", "ok")
    for one in comparison.sent:
        wrong = comparison.differences(one)
        expected = _comparable(one.expectation, waited=comparison.waited)
        row = (one.scenario, one.reference, _in_words(_not_empty(expected)), _found_in_words(one.found, wrong))
        table.add_row(*(escape(cell) for cell in row), "[red]no" if wrong else "[green]yes")
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=_WIDTH_IN_FILES)).print(table)
    typer.echo(f"{len(comparison.sent)} sent, {comparison.as_expected} as expected, seed {comparison.seed}")


def _not_empty(told: Told) -> Told:
    return {name: value for name, value in told.items() if value not in (None, 0, ())}


def _found_in_words(found: Found, wrong: Sequence[str]) -> str:
    if not wrong:
        return "the same"
    reason = f" ({found.errordesc})" if "status" in wrong and found.errordesc else ""
    return _in_words({name: getattr(found, name) for name in wrong}) + reason


def _in_words(told: Told) -> str:
    """Say it in a line, such as `0, completed, 1 file, AMOUNT_MISMATCH, charged`."""
    return ", ".join(_word(name, value) for name, value in told.items())


def _word(name: str, value: str | int | tuple[str, ...] | None) -> str:
    match value:
        case None:
            return f"no {name}"
        case int():
            return f"{value} {name.removesuffix('s') if value == 1 else name}"
        case str():
            return value
        case _:
            return ", ".join(value) or f"no {name}"
