"""Has messages sent to an endpoint, and holds them against what docs/events says of them."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from pytest_httpserver import HTTPServer

from adapters.database.transactions import read_row
from models.messages.bodies import BODIES
from models.messages.notification import EndpointRow, EventType
from tests.conftest import Configure

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCHEMAS = Path(__file__).parents[1] / "docs" / "events"


def notify(configure: Configure, server: HTTPServer, status: int = 200) -> None:
    """Let an endpoint answer with a status, and be notified of every event."""
    server.expect_request("/hook").respond_with_data("", status=status)
    configure(notify_urls=server.url_for("/hook"), notify_secret=SECRET, notify_allow_private="true")


def endpoint_of(name: str) -> EndpointRow:
    found = read_row(EndpointRow, name)
    assert found
    return found


def message_of(body: str | bytes) -> dict[str, Any]:
    """Return a message that fits its schema, and has no member that the schema does not describe."""
    message: dict[str, Any] = json.loads(body)
    schema = json.loads((SCHEMAS / f"{message['type']}.json").read_text())
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(message)
    BODIES[EventType(message["type"])].model_validate_json(body)  # forbids further members
    return message
