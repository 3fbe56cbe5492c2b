"""Fetches the console's scripts, styles and icons from npm, as `vendored.json` pins them: `make console-vendor`.

Nothing of a package runs. Its archive is compared with the pinned digest, and the named files are taken out of it.
"""

import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("vendored.json")
VENDORED = ROOT / "api" / "console" / "static" / "vendored"
_PREFIX = "package/"
_SHAPES = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_EMPTY_SHAPE = re.compile(r'\s*<path stroke="none" d="M0 0h24v24H0z" fill="none" ?/>')


def main() -> None:
    packages = json.loads(PINS.read_text())["packages"]
    with tempfile.TemporaryDirectory() as folder:
        for package in packages:
            with tarfile.open(_fetched(package, Path(folder))) as archive:
                _take_files(archive, package["files"])
                if "icons" in package:
                    _write_sprite(archive, package["icons"])
    (VENDORED / "LICENSES.md").write_text(_licenses(packages))


def _fetched(package: dict[str, Any], folder: Path) -> Path:
    named = f"{package['name']}@{package['version']}"
    command = ["npm", "pack", named, "--ignore-scripts", "--json", "--pack-destination", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 -- pinned names, no shell
    path = folder / str(json.loads(done.stdout)[0]["filename"]).replace("@", "").replace("/", "-")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != package["sha256"]:
        raise SystemExit(f"{named}: expected SHA-256 {package['sha256']}, got {digest}; compare before you pin it")
    return path


def _take_files(archive: tarfile.TarFile, files: dict[str, str]) -> None:
    """Write the files of a package to their places. A name that ends in a slash is a folder."""
    for name, place in files.items():
        if name.endswith("/"):
            inside = [each for each in archive.getnames() if each.startswith(_PREFIX + name)]
            _take_files(archive, {each.removeprefix(_PREFIX): place + Path(each).name for each in inside})
        else:
            target = ROOT / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_content(archive, name))


def _write_sprite(archive: tarfile.TarFile, icons: list[str]) -> None:
    symbols = []
    for name in icons:
        found = _SHAPES.search(_content(archive, f"icons/outline/{name}.svg").decode())
        shapes = re.sub(r"\s*\n\s*", "", _EMPTY_SHAPE.sub("", found[1])) if found else ""
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>')
    head = '<svg xmlns="http://www.w3.org/2000/svg">'
    (VENDORED / "icons.svg").write_text("\n".join([head, *symbols, "</svg>\n"]))


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(_PREFIX + name)
    if file is None:
        raise SystemExit(f"the package has no file {name}")
    return file.read()


def _licenses(packages: list[dict[str, Any]]) -> str:
    head = "# What the console ships of others\n\nMade by `make console-vendor`.\n\n| package | version | license |\n"
    rows = [
        f"| {each['name']} | {each['version']} | {each['license']} |" for each in packages if each["name"] != "axe-core"
    ]
    return f"{head}| --- | --- | --- |\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
