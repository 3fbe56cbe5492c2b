"""Writes the JSON Schema of each event's body from its model: `make event-schemas`."""

import json
from pathlib import Path

from models.messages.bodies import BODIES

FOLDER = Path(__file__).parent / "events"


def schemas() -> dict[str, str]:
    """Return the text of each file of docs/events, by its name.

    The schemas are open: a receiver that checks a message accepts members that a later cellar adds.
    """
    made = {}
    for event, body in BODIES.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"cellar:{event}"}
        schema |= _opened(body.model_json_schema(mode="serialization"))
        made[f"{event}.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return made


def _opened(schema: object) -> dict[str, object]:
    opened = {}
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name in {"additionalProperties", "title"} and not isinstance(value, dict):
                continue
            opened[name] = _opened(value) if isinstance(value, dict) else value
    return opened


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (FOLDER / name).write_text(text)
