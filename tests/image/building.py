"""Builds the image with `buildah`, on a base that `mmdebstrap` makes under the name in `FROM`. Needs root, no registry.

Everything lies in one temporary folder, buildah's storage included (driver `vfs`: plain folders, no mounts), and is
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
_TOOLS = ("mmdebstrap", "podman", "buildah")
_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,netbase"
_LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
_WITHIN_S = 3000


@dataclass(frozen=True)
class Image:
    """A built image: its files, its configuration, and its size without compression."""

    root: Path
    config: dict[str, Any]
    size_bytes: int

    @property
    def environment(self) -> dict[str, str]:
        return dict(each.partition("=")[::2] for each in self.config["Env"])


def build(folder: Path) -> Image:
    """Build the image below a folder, in minutes, and return it unpacked."""
    missing = [each for each in _TOOLS if shutil.which(each) is None]
    assert not missing, f"{', '.join(missing)}: not found; apt-get install {' '.join(missing)}"
    assert os.geteuid() == 0, "the image's test makes a base image and mounts folders: run it as root"
    _run("podman", *_storage(folder), "import", "--quiet", str(_base(folder)), _base_name())
    _run(
        *("buildah", *_storage(folder), "bud", "--isolation", "chroot", "--format", "docker", "--pull=never"),
        *(*_LIMITS, *_pip_of_this_machine(folder), "--tag", "cellar", str(ROOT)),
        folder=folder,
    )
    container = _run("buildah", *_storage(folder), "from", "--pull=never", "cellar")
    described = json.loads(_run("buildah", *_storage(folder), "inspect", "--type", "image", "cellar"))
    listed = json.loads(_run("podman", *_storage(folder), "images", "--format", "json"))
    return Image(
        root=Path(_run("buildah", *_storage(folder), "mount", container)),
        config=described["Docker"]["config"],
        size_bytes=next(each["Size"] for each in listed if "localhost/cellar:latest" in (each["Names"] or [])),
    )


def remove(folder: Path) -> None:
    """Remove everything that `build` made."""
    _run("buildah", *_storage(folder), "rm", "--all")
    _run("buildah", *_storage(folder), "rmi", "--all", "--force")


def _storage(folder: Path) -> tuple[str, ...]:
    return ("--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")


def _base_name() -> str:
    (name,) = re.findall(r"^FROM (\S+) AS base$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return str(name)


def _base(folder: Path) -> Path:
    """Return a small Debian with Python as a tar file, without documentation and compiled modules, as the real base."""
    tar = folder / "base.tar"
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")]
    uncompiled = '--customize-hook=find "$1/usr/lib" -name __pycache__ -prune -exec rm -r {} +'
    _run("mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", *left_out, uncompiled, "trixie", str(tar))
    return tar


def _pip_of_this_machine(folder: Path) -> list[str]:
    """Return the options by which pip in the build has this machine's index and certificates."""
    listed = _run(sys.executable, "-m", "pip", "config", "list")
    settings = dict(re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))
    lines = [f"{name} = {settings[name]}" for name in ("index-url", "extra-index-url", "timeout") if name in settings]
    volumes = []
    if certificates := settings.get("cert"):
        volumes = ["--volume", f"{certificates}:/etc/ssl/of-this-machine.pem:ro"]
        lines.append("cert = /etc/ssl/of-this-machine.pem")
    (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    return [*volumes, "--volume", f"{folder / 'pip.conf'}:/etc/pip.conf:ro"]


def _run(*command: str, folder: Path | None = None) -> str:
    """Run a program and return what it prints.

    Args:
        folder: where it may put what it needs for a while. Otherwise, that is where all programs do.
    """
    environment = os.environ | ({"TMPDIR": str(folder)} if folder else {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=_WITHIN_S)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout.strip()
