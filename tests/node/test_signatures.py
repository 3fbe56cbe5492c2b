"""Messages that were sent over HTTP are verified by the packages that endpoints in Node use.

The packages know `v1` alone. `v1a` is verified by the few lines of node:crypto that the documentation shows.
"""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_httpserver import HTTPServer

from adapters.settings.settings import Settings
from models.messages.notification import Signature
from models.views.messages import NewEndpoint, Rotation
from services.messages import endpoints
from services.messages.endpoints import send_test
from tests.conftest import LONGEST_S, Configure, free_port, running, wait_until

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "notifications.md"
PACKAGES = ("standardwebhooks", "svix")


@pytest.fixture(autouse=True)
def _installation(sqlite_installation: Settings, configure: Configure, httpserver: HTTPServer) -> None:
    configure(notify_allow_private="true")
    httpserver.expect_request("/hook", method="POST").respond_with_data("", status=204)


def added(url: str, **members: Any) -> str:
    asked = NewEndpoint(url=url, name="erp", **members)
    return shown(endpoints.add(asked, "dana@desk", datetime.now(UTC)))


def rotated(**members: Any) -> str:
    return shown(endpoints.rotate("erp", Rotation(**members), "dana@desk", datetime.now(UTC)))


def shown(key: Any) -> str:
    """Return what the endpoint verifies with."""
    return str(key.public_text or key.text)


def sent(httpserver: HTTPServer) -> dict[str, Any]:
    """Send a message to the endpoint, and return what arrived there."""
    assert asyncio.run(send_test("erp")).delivered
    request, _ = httpserver.log[-1]
    headers = {name.lower(): value for name, value in request.headers.items()}
    return {"headers": headers, "body": base64.b64encode(request.data).decode()}


def verdicts(folder: Path, messages: list[dict[str, Any]]) -> list[str]:
    ended = subprocess.run(
        ["node", "verify.mjs"],
        cwd=folder,
        input=json.dumps(messages),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: list[str] = json.loads(ended.stdout)
    return found


def altered(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the message with another body, id, time, signature, and without each of the headers."""
    headers = message["headers"]
    body = base64.b64decode(message["body"])
    version, _, signature = headers["webhook-signature"].partition(",")
    changed = signature[:-3] + ("AA" if signature[-3:-1] != "AA" else "BB") + signature[-1]
    later = str(int(headers["webhook-timestamp"]) + 1)
    old = str(int(headers["webhook-timestamp"]) - 301)
    return [
        message | {"body": base64.b64encode(body.replace(b"erp", b"crm")).decode()},
        message | {"body": base64.b64encode(body + b" ").decode()},
        *(
            message | {"headers": headers | {name: value}}
            for name, value in (
                ("webhook-id", f"{headers['webhook-id']}0"),
                ("webhook-timestamp", later),
                ("webhook-timestamp", old),
                ("webhook-signature", f"{version},{changed}"),
                ("webhook-signature", f"v2,{signature}"),
            )
        ),
    ]


def test_packages_accept_what_each_key_signs_during_its_time_and_refuse_everything_else(
    node_folder: Path, httpserver: HTTPServer
) -> None:
    old = added(httpserver.url_for("/hook"))
    first = sent(httpserver)
    new = rotated()
    both = sent(httpserver)
    public_key = rotated(signature=Signature.ED25519)
    beside = sent(httpserver)
    other = f"whsec_{base64.b64encode(os.urandom(32)).decode()}"
    accepted = [(old, first), (old, both), (new, both), (new, beside)]
    refused = [(new, first), (other, both), *((old, each) for each in altered(first))]

    for package in PACKAGES:
        asked = [{"by": package, "secret": secret} | message for secret, message in accepted + refused]
        found = verdicts(node_folder, asked)
        assert found[: len(accepted)] == ["accepted"] * len(accepted)
        assert set(found[len(accepted) :]) == {"No matching signature found", "Message timestamp too old"}
    assert verdicts(node_folder, [{"by": "node:crypto", "secret": public_key} | beside]) == ["accepted"]


def test_public_key_verifies_its_own_messages_alone(node_folder: Path, httpserver: HTTPServer) -> None:
    old = added(httpserver.url_for("/hook"), signature=Signature.ED25519)
    first = sent(httpserver)
    new = rotated(overlap_h=0)
    second = sent(httpserver)
    asked = [(old, first), (new, second), (old, second), *((old, each) for each in altered(first))]

    accepted, again, *refused = verdicts(
        node_folder, [{"by": "node:crypto", "secret": key} | message for key, message in asked]
    )

    assert (accepted, again, len(refused)) == ("accepted", "accepted", 8)
    assert set(refused) == {"No matching signature found", "Message timestamp too old or too new"}


def documented(language: str) -> list[str]:
    """Return the programs of the documentation in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCS.read_text(), re.DOTALL | re.MULTILINE)


class TestDocumentedReceivers:
    """The receivers that docs/notifications.md shows take what cellar sends, and nothing else."""

    @pytest.fixture(params=["python", "js hmac", "js ed25519"])
    def receiver(self, request: pytest.FixtureRequest, node_folder: Path, tmp_path: Path) -> Iterator[str]:
        """Run a documented receiver, and yield its URL."""
        language, _, scheme = request.param.partition(" ")
        program = documented(language)[scheme == "ed25519"]
        port = free_port()
        path = node_folder / f"receiver-{port}.{'py' if language == 'python' else 'mjs'}"
        path.write_text(program)
        url = f"http://127.0.0.1:{port}/hook"
        signature = Signature.ED25519 if scheme == "ed25519" else Signature.HMAC
        verified_with = added(url, signature=signature)
        name = "PUBLIC_KEY" if scheme == "ed25519" else "SECRET"
        command = [sys.executable if language == "python" else "node", str(path)]
        with running(command, os.environ | {name: verified_with, "PORT": str(port)}, tmp_path / "receiver.log"):
            wait_until(lambda: answers_at_all(url))
            yield url

    def test_receiver_of_the_documentation_takes_what_is_signed_and_nothing_else(self, receiver: str) -> None:
        made = asyncio.run(send_test("erp"))
        signed_at = str(int(datetime.now(UTC).timestamp()))
        headers = {"webhook-id": "msg_1", "webhook-timestamp": signed_at, "webhook-signature": "v1,AA== v1a,AA=="}
        forged = httpx.post(receiver, content=b"{}", headers=headers, trust_env=False, timeout=LONGEST_S)

        assert (made.status_code, made.delivered) == (204, True)
        assert forged.status_code == 400


def answers_at_all(url: str) -> bool:
    try:
        httpx.post(url, timeout=LONGEST_S, trust_env=False, content=b"{}")
    except httpx.HTTPError:
        return False
    return True
