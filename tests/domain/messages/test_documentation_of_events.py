"""docs/events.md has a section for each event and names each member; docs/events has its schema."""

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from docs.event_schemas import FOLDER, schemas
from models.messages.bodies import BODIES
from models.messages.notification import EventType

PAGE = Path(__file__).parents[3] / "docs" / "events.md"
SECTIONS = dict(re.findall(r"^## ([a-z.]+\.[a-z_]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("event", EventType)
def test_section_names_each_member_and_no_other(event: EventType) -> None:
    """Members of entries of a list may be named in an earlier section."""
    schema = BODIES[event].model_json_schema(mode="serialization")
    data = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    of_defs = (each.get("properties", {}) for each in schema["$defs"].values())
    inner = {name for each in of_defs for name in each} - data["properties"].keys()
    rows = re.findall(r"^\| (`.*?`) \|", SECTIONS[event], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert named in (data["properties"].keys(), set())
    assert [name for name in data["properties"] if f"`{name}`" not in SECTIONS[event]] == []
    assert [name for name in inner if f"`{name}`" not in PAGE.read_text()] == []


def test_each_section_is_of_an_event() -> None:
    assert SECTIONS.keys() == set(EventType)


def test_schemas_match_the_models() -> None:
    there = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert there == schemas(), "run `make event-schemas`"


@pytest.mark.parametrize("event", EventType)
def test_schema_is_one_and_lets_further_members_pass(event: EventType) -> None:
    schema = BODIES[event].model_json_schema(mode="serialization")
    Draft202012Validator.check_schema(schema)
    assert 'additionalProperties": false' not in schemas()[f"{event}.json"]
