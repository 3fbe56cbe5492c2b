"""`cellar endpoints`, with a real endpoint that receives what it sends."""

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook

from adapters.settings.settings import Settings
from cli.options import person
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.installations import closed_url

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def _installation(sqlite_installation: Settings, configure: Configure) -> None:
    configure(notify_allow_private="true")


def run(cellar: Cellar, *arguments: str, status: int = 0) -> Any:
    ended = cellar("endpoints", *arguments, "--json")
    assert ended.status == status, ended.errors
    return json.loads(ended.output)


def test_added_endpoint_gets_a_signed_test_message(cellar: Cellar, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("", status=204)

    added = run(cellar, "add", httpserver.url_for("/hook"), "--name", "erp", "--header", "Authorization: Bearer abc")
    made = run(cellar, "test", "erp")

    ((request, _),) = httpserver.log
    message: Any = Webhook(added["secret"]).verify(request.data, dict(request.headers))
    assert (message["type"], message["data"]) == ("endpoint.test", {"endpoint": "erp"})
    assert request.headers["authorization"] == "Bearer abc"
    assert (made["delivered"], made["status_code"], made["message_id"]) == (True, 204, request.headers["webhook-id"])


def test_failed_test_exits_with_1_and_says_why(cellar: Cellar, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status=302, headers={"location": "/elsewhere"})
    run(cellar, "add", httpserver.url_for("/hook"), "--name", "redirects")
    run(cellar, "add", f"{closed_url()}/hook", "--name", "away")

    redirected = cellar("endpoints", "test", "redirects")
    away = cellar("endpoints", "test", "away")

    assert (redirected.status, "Status 302" in redirected.output) == (1, True)
    assert len(httpserver.log) == 1  # the redirect was not followed
    assert (away.status, "at the stage connect" in away.output) == (1, True)
    assert "the connection is refused" in away.output


def test_beginning_of_the_answer_is_shown_without_secrets(cellar: Cellar, httpserver: HTTPServer) -> None:
    told = "no branch 12\nAuthorization: Bearer hidden-token\nask dana@erp.example\n" + "more\n" * 100
    httpserver.expect_request("/hook").respond_with_data(told, status=422)
    url = httpserver.url_for("/hook")
    run(cellar, "add", url, "--name", "erp", "--header", "Authorization: Bearer hidden-token")

    ended = cellar("endpoints", "test", "erp")

    assert (ended.status, "at the stage status" in ended.output) == (1, True)
    assert "no branch 12" in ended.output
    assert len(ended.output.splitlines()) < 20
    assert [each for each in ("hidden-token", "dana@") if each in ended.output] == []


@pytest.mark.parametrize("name", ["169.254.169.254", "127.0.0.1", "[::1]", "localhost", "2130706433"])
def test_test_calls_no_private_address(cellar: Cellar, configure: Configure, httpserver: HTTPServer, name: str) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    run(cellar, "add", f"http://{name}:{httpserver.port}/hook", "--name", "erp")
    configure(notify_allow_private="false")

    made = run(cellar, "test", "erp", status=1)

    assert (made["stage"], "CELLAR_NOTIFY_ALLOW_PRIVATE" in made["why"]) == ("resolve", True)
    assert httpserver.log == []


def test_endpoint_is_added_rotated_disabled_enabled_and_removed(cellar: Cellar, tmp_path: Path) -> None:
    """Its secrets are shown once, its public key always, and who did what is on record."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    added = cellar("endpoints", "add", f"{closed_url()}/hook", "--name", "erp", "--secret-file", f"{tmp_path}/secret")
    (secret,) = (line.split()[1] for line in added.output.splitlines() if line.startswith("Secret"))

    rotated = run(cellar, "rotate", "erp", "--overlap-h", "2", "--signature", "ed25519")

    public_key = rotated["keys"][0]["public_key"]
    assert (secret, rotated["secret"][:5], public_key[:5]) == (SECRET, "whsk_", "whpk_")
    assert [(key["signature"], key["until"] is None) for key in rotated["keys"]] == [("ed25519", True), ("hmac", False)]
    assert public_key in cellar("endpoints", "show", "erp").output
    for command in ("list", "list --json", "show erp", "show erp --json", "disable erp", "enable erp"):
        ended = cellar("endpoints", *command.split())
        shown = ended.output + ended.errors
        assert (ended.status, [each for each in (secret, rotated["secret"]) if each in shown]) == (0, [])
    removed = run(cellar, "remove", "erp")
    assert removed["state"] == "removed"
    assert [(each["what"], each["by"]) for each in removed["actions"]] == [
        (what, person()) for what in ("added", "rotated", "disabled", "enabled", "removed")
    ]
    assert run(cellar, "list") == {"items": []}


def test_filters_and_headers_are_shown_and_tokens_are_not(cellar: Cellar) -> None:
    url = f"{closed_url().replace('http://', 'http://user:hidden1@')}/services/T0hidden2?token=hidden3"
    options = "--event archive.completed --source north"
    run(cellar, "add", url, "--name", "erp", "--header", "X-Token: hidden4", *options.split())

    shown = cellar("endpoints", "show", "erp")
    listed = cellar("endpoints", "list")

    for told in ("archive.completed", "north", "X-Token", "/services/"):
        assert told in shown.output
    assert "hidden" not in shown.output + listed.output + shown.errors + listed.errors


def test_endpoint_of_the_settings_can_be_rotated_and_not_removed(cellar: Cellar, configure: Configure) -> None:
    configure(notify_urls=f"{closed_url()}/hook", notify_secret=SECRET)

    (listed,) = run(cellar, "list")["items"]
    removed = cellar("endpoints", "remove", listed["name"])
    rotated = run(cellar, "rotate", listed["name"])

    assert (removed.status, "CELLAR_NOTIFY_URLS" in removed.errors) == (1, True)
    assert (listed["created_by"], len(rotated["keys"])) == ("settings", 2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("https://erp.example", "--name", "Not A Slug"), "--name: expected lower-case letters"),
        (("https://erp.example", "--name", "settings-1"), "--name: names that begin with settings-"),
        (("https://erp.example", "--name", "erp", "--event", "archive.lost"), "--event: expected"),
        (("https://erp.example", "--name", "erp", "--header", "hidden"), "--header"),
        (("https://erp.example", "--name", "erp", "--header", "Host: hidden"), "--header: the header Host"),
        (("https://erp.example", "--name", "erp", "--header", "webhook-id: hidden"), "webhook-id"),
        (("https://erp.example", "--name", "erp", "--header", "X-Token: hid\nden"), "X-Token"),
        (("ftp://hidden.example", "--name", "erp"), "http or https"),
    ],
)
def test_wrong_use_exits_with_2_and_repeats_no_secret(cellar: Cellar, options: tuple[str, ...], told: str) -> None:
    ended = cellar("endpoints", "add", *options)

    assert (ended.status, ended.output) == (2, "")
    assert told in ended.errors
    assert "hidden" not in ended.errors.replace("archive.lost", "")
    assert run(cellar, "list") == {"items": []}


def test_private_address_is_refused_unless_it_is_allowed(cellar: Cellar, configure: Configure) -> None:
    configure(notify_allow_private="false")

    ended = cellar("endpoints", "add", f"{closed_url()}/hook", "--name", "erp")

    assert (ended.status, "CELLAR_NOTIFY_ALLOW_PRIVATE" in ended.errors) == (1, True)
    assert run(cellar, "list") == {"items": []}


def test_address_without_a_server_is_added_with_a_warning(cellar: Cellar) -> None:
    added = run(cellar, "add", f"{closed_url()}/hook", "--name", "erp")

    assert any("does not answer now" in each for each in added["warnings"])


def test_unknown_endpoint_exits_with_1(cellar: Cellar) -> None:
    ended = cellar("endpoints", "show", "erp")

    assert (ended.status, "cellar endpoints list" in ended.errors) == (1, True)
