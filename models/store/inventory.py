"""The inventory of an OCFL 1.1 object: its versions, and the place of each of their files.

Source: "Oxford Common File Layout Specification 1.1", section 3.5.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from models.runs.receipt import DEFAULT_SOURCE

_CELLAR, _SOURCE = "urn:cellar", "urn:cellar:source:"
TYPE = "https://ocfl.io/1.1/spec/#inventory"
DIGEST_ALGORITHM = "sha256"
_CONTENT_PATH = re.compile(r"v[1-9]\d*/content/.+")
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object. `state` maps logical paths of files to the digests of their contents.

    `source` brought the version, and says how its times and amounts are read. The version's user names it, unless it
    is `default`.
    """

    created_at: datetime
    message: str
    state: Mapping[str, str]
    source: str = DEFAULT_SOURCE


@dataclass(frozen=True, slots=True)
class Inventory:
    """An inventory. `manifest` maps digests of contents to paths in the object. The first version is number 1."""

    object_id: str
    manifest: Mapping[str, str]
    versions: tuple[ObjectVersion, ...]

    @property
    def head(self) -> int:
        return len(self.versions)

    def with_version(self, version: ObjectVersion, content_paths: Mapping[str, str]) -> "Inventory":
        """Return the inventory with another version. Existing content keeps its path.

        Args:
            version: the next version.
            content_paths: paths of its content within `vN/content`, by digest.
        """
        number = self.head + 1
        new = {
            sha256: f"v{number}/content/{path}"
            for sha256, path in content_paths.items()
            if sha256 not in self.manifest and sha256 in version.state.values()
        }
        return replace(self, manifest={**self.manifest, **new}, versions=(*self.versions, version))

    def content_of(self, number: int) -> dict[str, str]:
        """Return the paths in the object of the content that a version brought, by digest."""
        return {sha256: path for sha256, path in self.manifest.items() if path.startswith(f"v{number}/")}

    def as_of(self, number: int) -> "Inventory":
        """Return the inventory as it was when a version was the head."""
        folders = {f"v{each}" for each in range(1, number + 1)}
        manifest = {sha256: path for sha256, path in self.manifest.items() if path.partition("/")[0] in folders}
        return replace(self, manifest=manifest, versions=self.versions[:number])

    def to_json(self) -> bytes:
        """Return the inventory as JSON. The same inventory always gives the same bytes."""
        versions = {f"v{number}": _version_json(version) for number, version in enumerate(self.versions, 1)}
        document = {
            "id": self.object_id,
            "type": TYPE,
            "digestAlgorithm": DIGEST_ALGORITHM,
            "head": f"v{self.head}",
            "manifest": {sha256: [path] for sha256, path in sorted(self.manifest.items())},
            "versions": versions,
        }
        return json.dumps(document, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Inventory":
        """Read an inventory that `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError, IndexError: `to_json` did not write the text.
        """
        document = _expected(dict, json.loads(text))
        manifest = {sha256: _content_path(paths) for sha256, paths in _expected(dict, document["manifest"]).items()}
        versions = _expected(dict, document["versions"])
        read = tuple(_version(versions[f"v{number}"], manifest) for number in range(1, len(versions) + 1))
        if not read or document["head"] != f"v{len(read)}":
            raise ValueError("expected the head to be the last version")
        return cls(_expected(str, document["id"]), manifest, read)


def _version_json(version: ObjectVersion) -> dict[str, object]:
    address = _CELLAR if version.source == DEFAULT_SOURCE else f"{_SOURCE}{version.source}"
    return {
        "created": version.created_at.isoformat(),
        "message": version.message,
        "user": {"name": "cellar", "address": address},
        "state": {sha256: sorted(paths) for sha256, paths in sorted(_by_digest(version.state.items()).items())},
    }


def _version(document: Mapping[str, object], manifest: Mapping[str, str]) -> ObjectVersion:
    state = _expected(dict, document["state"])
    if not state.keys() <= manifest.keys():
        raise ValueError("expected every content of a version to be in the manifest")
    return ObjectVersion(
        created_at=datetime.fromisoformat(_expected(str, document["created"])),
        message=_expected(str, document["message"]),
        state={_expected(str, path): sha256 for sha256, paths in state.items() for path in _expected(list, paths)},
        source=_source(_expected(dict, document["user"])["address"]),
    )


def _source(address: object) -> str:
    if address == _CELLAR:
        return DEFAULT_SOURCE
    if not _expected(str, address).startswith(_SOURCE):
        raise ValueError("expected the address of cellar or of a source")
    return _expected(str, address).removeprefix(_SOURCE)


def _content_path(paths: object) -> str:
    path = _expected(str, _expected(list, paths)[0])
    if not _CONTENT_PATH.fullmatch(path) or ".." in path.split("/"):
        raise ValueError("expected the path of a content in the object")
    return path


def _expected(kind: type[Kind], found: object) -> Kind:
    if not isinstance(found, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(found).__name__}")
    return found


def _by_digest(state: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    paths = defaultdict(list)
    for path, sha256 in state:
        paths[sha256].append(path)
    return paths
