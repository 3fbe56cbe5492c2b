"""An object of the store in memory. It is changed, and then written with inventories that fit."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters.store import ocfl
from adapters.store.ocfl import FILES, INVENTORY, LOGS, OBJECT_DECLARATION, SIDECAR
from models.store.inventory import Inventory, ObjectVersion

HISTORY = f"{LOGS}/history"
JUDGEMENTS = f"{LOGS}/verdicts"


@dataclass
class OpenedObject:
    """An object: its versions, its contents by digest, and the files of its logs by path."""

    folder: Path
    object_id: str
    versions: list[ObjectVersion]
    contents: dict[str, bytes]
    logs: dict[str, bytes]

    @property
    def reference(self) -> str:
        return ocfl.reference_of(self.inventory())

    def inventory(self) -> Inventory:
        made = Inventory(self.object_id, {}, ())
        for version in self.versions:
            made = made.with_version(version, {digest: name for name, digest in version.state.items()})
        return made

    def change(self, number: int, **values: Any) -> None:
        """Change members of a version."""
        self.versions[number - 1] = replace(self.versions[number - 1], **values)

    def replace_content(self, number: int, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change a content of a version, in every version that has it."""
        old = self.versions[number - 1].state[name]
        data = change(self.contents[old])
        self.contents[digest(data)] = data
        for each, version in enumerate(list(self.versions), 1):
            state = {path: digest(data) if its == old else its for path, its in version.state.items()}
            self.change(each, state=state)

    def replace_file(self, old: str, data: bytes) -> str:
        """Replace a file in every version that has it, and return its new digest."""
        new = digest(data)
        self.contents[new] = data
        for number, version in enumerate(self.versions, 1):
            state = {name: its for name, its in version.state.items() if its != old}
            if len(state) < len(version.state):
                self.change(number, state=state | {f"{FILES}/{new}": new})
        return new

    def files(self, start: bytes) -> list[str]:
        """Return the digests of the files whose bytes begin with `start`."""
        named = {its for version in self.versions for name, its in version.state.items() if name.startswith(FILES)}
        return sorted(each for each in named if self.contents[each].startswith(start))

    def rows(self, path: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = json.loads(self.logs[path].partition(b"\n")[2])
        return found

    def write_rows(self, path: str, rows: Mapping[str, Any]) -> None:
        text = json.dumps(rows).encode()
        self.logs[path] = digest(text).encode() + b"\n" + text

    def histories(self) -> list[str]:
        """Return the paths of the histories of receipts."""
        return sorted(path for path in self.logs if path.startswith(f"{HISTORY}/"))

    def judgements(self) -> list[str]:
        return sorted(path for path in self.logs if path.startswith(f"{JUDGEMENTS}/"))

    def paths(self) -> Iterator[tuple[str, bytes]]:
        """Yield the path and the bytes of each file, with inventories and sidecars that fit."""
        inventory = self.inventory()
        texts = {f"v{number}/": inventory.as_of(number).to_json() for number in range(1, inventory.head + 1)}
        for folder, text in (texts | {"": inventory.to_json()}).items():
            yield f"{folder}{INVENTORY}", text
            yield f"{folder}{SIDECAR}", ocfl.sidecar(text)
        yield OBJECT_DECLARATION, ocfl.declaration(OBJECT_DECLARATION)
        yield from ((path, self.contents[its]) for its, path in inventory.manifest.items())
        yield from self.logs.items()

    def write(self) -> None:
        """Write the object into its folder, in place of the object there."""
        made = dict(self.paths())
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            if made.get(str(path.relative_to(self.folder))) != path.read_bytes():
                path.unlink()
        for name, data in made.items():
            put(self.folder / name, data)
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def opened(folder: Path) -> OpenedObject:
    inventory = Inventory.from_json((folder / INVENTORY).read_bytes())
    contents = {its: (folder / path).read_bytes() for its, path in inventory.manifest.items()}
    paths = [path for path in (folder / LOGS).rglob("*") if path.is_file()]
    logs = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    return OpenedObject(folder, inventory.object_id, list(inventory.versions), contents, logs)


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def put(path: Path, data: bytes) -> None:
    """Write a file, unless it has these bytes. Never writes in place: the file may be a link to another copy's file."""
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)
