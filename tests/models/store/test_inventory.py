"""A text that is not an inventory of ours raises an error and is never read."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from models.store.inventory import Inventory, ObjectVersion

SHA256 = "ab" * 32
WHOLE = Inventory(
    "urn:cellar:r",
    {SHA256: "v1/content/skeleton.json"},
    (ObjectVersion(datetime(2026, 1, 1, tzinfo=UTC), "message", {"skeleton.json": SHA256}),),
)


def damaged(**members: Any) -> bytes:
    return json.dumps(json.loads(WHOLE.to_json()) | members).encode()


def damaged_version(**members: Any) -> bytes:
    version = json.loads(WHOLE.to_json())["versions"]["v1"] | members
    return damaged(versions={"v1": version})


def test_inventory_survives_writing_and_reading() -> None:
    assert Inventory.from_json(WHOLE.to_json()) == WHOLE
    assert Inventory.from_json(damaged()) == WHOLE


def test_inventory_as_of_a_version_equals_the_inventory_written_then() -> None:
    version = ObjectVersion(datetime(2026, 2, 1, tzinfo=UTC), "message", {"skeleton.json": "cd" * 32})

    assert WHOLE.with_version(version, {"cd" * 32: "skeleton.json"}).as_of(1) == WHOLE


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        damaged(manifest=[]),
        damaged(manifest={}),  # the version names a missing content
        damaged(manifest={SHA256: []}),
        damaged(manifest={SHA256: [1]}),
        damaged(manifest={SHA256: "v1/content/skeleton.json"}),
        damaged(manifest={SHA256: ["v1/skeleton.json"]}),
        damaged(manifest={SHA256: ["v1/content/../../../other"]}),
        damaged(id=1),
        damaged(head="v2"),
        damaged(head=1),
        damaged(versions=[]),
        damaged(versions={}, head="v0"),
        damaged_version(state=[]),
        damaged_version(state={SHA256: "skeleton.json"}),
        damaged_version(message=1),
        damaged_version(created="yesterday"),
    ],
)
def test_damaged_inventory_raises_an_error(text: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, IndexError)):
        Inventory.from_json(text)
