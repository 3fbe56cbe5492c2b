"""Holds the messages that cellar sends against what docs/events says of them."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from models.messages.bodies import BODIES
from models.messages.event import EventType

SCHEMAS = Path(__file__).parents[1] / "docs" / "events"


def message_of(body: str | bytes) -> dict[str, Any]:
    """Return a message that fits its schema, and has no member that the schema does not describe."""
    message: dict[str, Any] = json.loads(body)
    schema = json.loads((SCHEMAS / f"{message['type']}.json").read_text())
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(message)
    BODIES[EventType(message["type"])].model_validate_json(body)  # forbids further members
    return message
