"""The inventory of an OCFL 1.1 object: which versions it has, and where each of their files lies.

Source: "Oxford Common File Layout Specification 1.1", section 3.5.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

TYPE = "https://ocfl.io/1.1/spec/#inventory"
DIGEST_ALGORITHM = "sha256"


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object: its files by their logical paths, each with the digest of its content."""

    created_at: datetime
    message: str
    state: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """`manifest` tells where a content lies in the object, by its digest. The first version is number 1."""

    object_id: str
    manifest: Mapping[str, str]
    versions: tuple[ObjectVersion, ...]

    @property
    def head(self) -> int:
        return len(self.versions)

    def with_version(self, version: ObjectVersion, content_paths: Mapping[str, str]) -> "Inventory":
        """Return the inventory with one version more. Content that is there already stays where it is.

        Args:
            version: the next one.
            content_paths: where in `vN/content` what it brings lies, by its digest.
        """
        number = self.head + 1
        new = {
            sha256: f"v{number}/content/{path}"
            for sha256, path in content_paths.items()
            if sha256 not in self.manifest and sha256 in version.state.values()
        }
        return replace(self, manifest={**self.manifest, **new}, versions=(*self.versions, version))

    def content_of(self, number: int) -> dict[str, str]:
        """Return the content that a version brought: its path in the object, by its digest."""
        return {sha256: path for sha256, path in self.manifest.items() if path.startswith(f"v{number}/")}

    def to_json(self) -> bytes:
        """The same inventory always gives the same bytes."""
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
        """Read what `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError: it did not.
        """
        document = json.loads(text)
        versions = [document["versions"][f"v{number}"] for number in range(1, int(document["head"][1:]) + 1)]
        manifest = {sha256: paths[0] for sha256, paths in document["manifest"].items()}
        return cls(document["id"], manifest, tuple(_version(each) for each in versions))


def _version_json(version: ObjectVersion) -> dict[str, object]:
    return {
        "created": version.created_at.isoformat(),
        "message": version.message,
        "user": {"name": "cellar", "address": "urn:cellar"},
        "state": {sha256: sorted(paths) for sha256, paths in sorted(_by_digest(version.state.items()).items())},
    }


def _version(document: Mapping[str, object]) -> ObjectVersion:
    state = document["state"]
    if not isinstance(state, dict):
        raise TypeError("expected the state of a version to be an object")
    return ObjectVersion(
        created_at=datetime.fromisoformat(str(document["created"])),
        message=str(document["message"]),
        state={path: sha256 for sha256, paths in state.items() for path in paths},
    )


def _by_digest(state: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    paths = defaultdict(list)
    for path, sha256 in state:
        paths[sha256].append(path)
    return paths
