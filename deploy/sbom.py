"""Writes what a release is made of, as CycloneDX 1.6 in JSON: `make release`.

`sbom.py wheel` lists what the lock pins, by digest. `sbom.py image < FILES.tar`, of `podman export`, lists what lies in
the image. Both list the scripts that the console ships. The same input gives the same bytes.
"""

import json
import os
import re
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path
from typing import Any, BinaryIO
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^(\S+)==(\S+)(?: ; ([^\\\n]+?))?(?: \\)?\n((?:    --hash=sha256:\w+(?: \\)?\n)+)", re.MULTILINE)
_METADATA = re.compile(r"opt/cellar/lib/python3\.\d+/site-packages/[^/]+\.dist-info/METADATA")
_VERSION = re.compile(r"^version = (\S+)$", re.MULTILINE)
_PYTHON, _DEBIAN = "opt/cellar/pyvenv.cfg", "var/lib/dpkg/status"


def main() -> None:
    kind = sys.argv[1]
    components = _of_wheel() if kind == "wheel" else _of_image(sys.stdin.buffer)
    sys.stdout.write(written(kind, [*components, *_of_console()]))


def written(kind: str, components: list[Component]) -> str:
    """Return the document about a wheel or an image that is made of these components."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_image = kind == "image"
    made = Component(
        name="cellar" if of_image else project["name"],
        version=project["version"],
        type=ComponentType.CONTAINER if of_image else ComponentType.APPLICATION,
        purl=None if of_image else PackageURL("pypi", None, project["name"], project["version"]),
        bom_ref=kind,
    )
    bom = Bom(components=components, serial_number=uuid5(NAMESPACE_URL, f"{kind} of cellar {project['version']}"))
    bom.metadata.component = made
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    bom.dependencies.add(Dependency(made.bom_ref, [Dependency(each.bom_ref) for each in components]))
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _of_wheel() -> Iterator[Component]:
    """Yield what `requirements.lock` pins. A package has a pin for each version of Python that needs another."""
    for name, version, marker, digests in _PIN.findall((ROOT / "requirements.lock").read_text()):
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in re.findall(r"sha256:(\w+)", digests)]
        purl = XsUri(str(PackageURL("pypi", None, name, version)))
        files = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=purl, hashes=hashes)
        properties = [Property(name="cellar:marker", value=marker)] if marker else []
        yield _component("pypi", name, version, external_references=[files], properties=properties)


def _of_image(files: BinaryIO) -> Iterator[Component]:
    """Yield Python, its packages and Debian's packages, as the files of an image describe them."""
    with tarfile.open(fileobj=files, mode="r|") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if not (_METADATA.fullmatch(name) or name in (_PYTHON, _DEBIAN)):
                continue
            file = archive.extractfile(member)
            content = file.read() if file else b""
            if name == _PYTHON:
                yield from (_component("generic", "python", each) for each in _VERSION.findall(content.decode()))
            elif name == _DEBIAN:
                yield from _of_debian(content)
            else:
                said = _headers(content)
                yield _component("pypi", said["Name"], said["Version"])


def _of_debian(status: bytes) -> Iterator[Component]:
    for each in map(_headers, status.strip().split(b"\n\n")):
        if each["Status"].endswith(" installed"):
            yield _component("deb", each["Package"], each["Version"], namespace="debian")


def _of_console() -> Iterator[Component]:
    for each in json.loads((ROOT / "deploy" / "console" / "vendored.json").read_text())["packages"]:
        if any(place.startswith("api/") for place in each["files"].values()):
            namespace, _, name = each["name"].rpartition("/")
            yield _component("npm", name, each["version"], namespace=namespace or None)


def _component(kind: str, name: str, version: str, *, namespace: str | None = None, **more: Any) -> Component:
    purl = PackageURL(kind, namespace, name, version)
    return Component(name=name, version=version, purl=purl, bom_ref=str(purl), **more)


def _headers(text: bytes) -> dict[str, str]:
    return dict(BytesHeaderParser(policy=compat32).parsebytes(text).items())


if __name__ == "__main__":
    main()
