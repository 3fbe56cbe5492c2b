"""`make wheel`: the same wheel from everywhere, and what a release is made of."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EPOCH = {"SOURCE_DATE_EPOCH": "1764374400"}


def run(*command: str, folder: Path = ROOT, given: bytes = b"") -> bytes:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, input=given, env=os.environ | EPOCH, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def digest_of_wheel(source: Path, folder: Path) -> str:
    run("-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), folder=source)
    (wheel,) = folder.glob("cellosign_cellar-*.whl")
    assert wheel.name == f"cellosign_cellar-{PROJECT['project']['version']}-py3-none-any.whl"
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def sbom(kind: str, given: bytes = b"") -> dict[str, Any]:
    written = run("deploy/sbom.py", kind, given=given).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None
    described: dict[str, Any] = json.loads(written)
    assert described["metadata"]["component"]["version"] == PROJECT["project"]["version"]
    return described


def test_changelog_and_kubernetes_name_the_version() -> None:
    version = PROJECT["project"]["version"].removesuffix(".dev0")

    assert re.findall(r"^## (\S+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == version
    tags = [
        re.findall(r"newTag: (.+)", each.read_text()) for each in ROOT.glob("deploy/kubernetes/**/kustomization.yaml")
    ]
    assert {tag for found in tags for tag in found} == {f'"{version}"'}


def test_wheel_has_the_same_bytes_from_another_folder_with_other_times_and_rights(tmp_path: Path) -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    copy = tmp_path / "copy"
    for name in wheel["packages"]:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in [*wheel["force-include"], "pyproject.toml", "README.md", ".gitignore"]:
        (copy / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for each in copy.rglob("*"):
        each.chmod(0o700 if each.is_dir() else 0o600)
        os.utime(each, (1e9, 1e9))

    assert digest_of_wheel(copy, tmp_path / "second") == digest_of_wheel(ROOT, tmp_path / "first")


def test_parts_of_the_wheel_are_the_packages_of_the_lock_with_their_digests() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    parts = sbom("wheel")["components"]

    packages = {each["purl"]: each for each in parts if each["purl"].startswith("pkg:pypi/")}
    assert sorted(packages) == sorted(f"pkg:pypi/{name}@{v}" for name, v in re.findall(r"^(\S+)==(\S+)", lock, re.M))
    hashes = [every["content"] for each in packages.values() for every in each["externalReferences"][0]["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"sha256:(\w+)", lock))
    assert "pkg:npm/%40tabler/core" in {each["purl"].partition("@")[0] for each in parts}


def test_parts_of_an_image_are_what_its_files_say() -> None:
    """The files of an image are played by those of this machine."""
    status = (
        b"Package: base-files\nStatus: install ok installed\nVersion: 13.8+deb13u2\nDescription: files\n of Debian\n\n"
        b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    files = {"var/lib/dpkg/status": status, "opt/cellar/pyvenv.cfg": b"home = /usr/bin\nversion = 3.13.9\n"}
    site_packages = "opt/cellar/lib/python3.13/site-packages"
    for each in distributions():
        files[f"{site_packages}/{each.metadata['Name']}.dist-info/METADATA"] = (
            each.read_text("METADATA") or ""
        ).encode()
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in files.items():
            archive.addfile(_described(name, content), io.BytesIO(content))

    found = {each["purl"] for each in sbom("image", tar.getvalue())["components"]}

    assert {each for each in found if each.startswith(("pkg:deb/", "pkg:generic/"))} == {
        "pkg:deb/debian/base-files@13.8%2Bdeb13u2",
        "pkg:generic/python@3.13.9",
    }
    assert len([each for each in found if each.startswith("pkg:pypi/")]) == len(files) - 2


def _described(name: str, content: bytes) -> tarfile.TarInfo:
    described = tarfile.TarInfo(name)
    described.size = len(content)
    return described


def test_signature_covers_each_file_of_a_release(tmp_path: Path) -> None:
    """The commands are those of docs/release.md."""
    documented = re.findall(
        r"^(openssl pkeyutl.*|sha256sum --check.*)$", (ROOT / "docs" / "release.md").read_text(), re.M
    )
    assert len(documented) == 2
    files = [
        tmp_path / f"cellosign_cellar-1.0.0{end}" for end in ("-py3-none-any.whl", ".image.tar", ".image.cdx.json")
    ]
    for each in files:
        each.write_bytes(each.name.encode())
    for name in ("key", "other"):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / name], check=True)
    (tmp_path / "cellosign_cellar-0.9.0.image.tar").write_bytes(b"of an earlier release")
    sign = [ROOT / "deploy" / "sign", tmp_path / "cellosign_cellar-1.0.0"]
    subprocess.run([*sign, tmp_path / "key"], check=True)

    def is_sound() -> bool:
        return all(subprocess.run(each, shell=True, cwd=tmp_path, check=False).returncode == 0 for each in documented)

    assert is_sound()
    assert "0.9.0" not in (tmp_path / "SHA256SUMS").read_text()
    for each in (*files, tmp_path / "SHA256SUMS"):
        before = each.read_bytes()
        each.write_bytes(before.replace(b"cellosign", b"Cellosign", 1))
        assert not is_sound()
        each.write_bytes(before)
    public = (tmp_path / "release-key.pem").read_bytes()
    subprocess.run([*sign, tmp_path / "other"], check=True)
    (tmp_path / "release-key.pem").write_bytes(public)
    assert not is_sound()
