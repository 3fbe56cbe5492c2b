"""Makes a release (`make release`) with its image on a base that `mmdebstrap` makes. Needs root, no registry of images.

Everything lies in one temporary folder, podman's storage included (driver `vfs`: plain folders, no mounts), and is
removed with it. Isolation is `chroot`, and limits are lowered, so that it works where containers cannot be nested.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_TOOLS = ("mmdebstrap", "podman")
_PACKAGES = "restic,python3,python3-venv,python3-pip,ca-certificates,netbase"
_LIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")
_BASE, _NAME = "localhost/base-of-cellar", "localhost/cellar:to-test"
_WITHIN_S = 3000


@dataclass(frozen=True)
class Image:
    """A built image: its files, its configuration, its size without compression, and the folder of the release."""

    root: Path
    config: dict[str, Any]
    size_bytes: int
    dist: Path

    @property
    def environment(self) -> dict[str, str]:
        return dict(each.partition("=")[::2] for each in self.config["Env"])


def build(folder: Path) -> tuple[Image, Image]:
    """Make a release below a folder, in minutes, and return its two images unpacked: the second can write a lake."""
    missing = [each for each in _TOOLS if shutil.which(each) is None]
    assert not missing, f"{', '.join(missing)}: not found; apt-get install {' '.join(missing)}"
    assert os.geteuid() == 0, "the image's test makes a base image and mounts folders: run it as root"
    storage = {"driver": "vfs", "graphroot": str(folder / "storage"), "runroot": str(folder / "run")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in storage.items()]
    (folder / "storage.conf").write_text("\n".join(["[storage]", *lines, ""]))
    _run(folder, "podman", "import", "--quiet", str(_base(folder)), _BASE)
    options = ["--pull=never", "--layers=false", f"--from={_BASE}", *_LIMITS, *_pip_of_this_machine(folder)]
    dist = folder / "dist"
    _run(folder, "openssl", "genpkey", "-algorithm", "ed25519", "-out", str(folder / "key"))
    _run(
        folder,
        "make",
        "release",
        f"RELEASE_KEY={folder / 'key'}",
        f"DIST={dist}",
        f"IMAGE={_NAME}",
        f"BUILD_OPTIONS={' '.join(options)}",
    )
    return _unpacked(folder, _NAME, dist), _unpacked(folder, f"{_NAME}-lake", dist)


def remove(folder: Path) -> None:
    """Remove everything that `build` made."""
    _run(folder, "podman", "image", "unmount", "--all")
    _run(folder, "podman", "rmi", "--all", "--force")


def _unpacked(folder: Path, name: str, dist: Path) -> Image:
    (described,) = json.loads(_run(folder, "podman", "image", "inspect", name))
    return Image(
        root=Path(_run(folder, "podman", "image", "mount", name)),
        config=described["Config"] | {"Healthcheck": described["Healthcheck"]},
        size_bytes=described["Size"],
        dist=dist,
    )


def _base(folder: Path) -> Path:
    """Return a small Debian with Python as a tar file, without documentation, compiled modules and apt's cache, as the
    real base.
    """
    tar = folder / "base.tar"
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")]
    uncached = [f'--aptopt=Dir::Cache::{each} ""' for each in ("pkgcache", "srcpkgcache")]
    uncompiled = '--customize-hook=find "$1/usr/lib" -name __pycache__ -prune -exec rm -r {} +'
    options = ["--variant=minbase", f"--include={_PACKAGES}", *left_out, *uncached, uncompiled]
    _run(folder, "mmdebstrap", *options, "trixie", str(tar))
    return tar


def _pip_of_this_machine(folder: Path) -> list[str]:
    """Return the options by which pip in the build has this machine's index and certificates."""
    listed = _run(folder, sys.executable, "-m", "pip", "config", "list")
    settings = dict(re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))
    lines = [f"{name} = {settings[name]}" for name in ("index-url", "extra-index-url", "timeout") if name in settings]
    volumes = []
    if certificates := settings.get("cert"):
        volumes = [f"--volume={certificates}:/etc/ssl/of-this-machine.pem:ro"]
        lines.append("cert = /etc/ssl/of-this-machine.pem")
    (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    return [*volumes, f"--volume={folder / 'pip.conf'}:/etc/pip.conf:ro"]


def _run(folder: Path, *command: str) -> str:
    """Run a program with podman's storage and temporary files below a folder, and return what it prints."""
    places = {"CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"), "TMPDIR": str(folder)}
    environment = os.environ | places | {"BUILDAH_ISOLATION": "chroot", "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=_WITHIN_S
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout.strip()
