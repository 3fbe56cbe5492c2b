"""Runs commands in the image as a container engine does: read-only root, process 1, the image's user and environment.

`unshare` gives namespaces of mounts and processes. The network is this machine's, so ports have to be free ones, and
limits, capabilities and seccomp of an engine are missing.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import running
from tests.image.building import Image

_ENTER = """
set -e
root=$1 data=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$data" "$root/var/lib/cellar"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for each in null zero random urandom; do
  touch "$root/dev/$each"
  mount --bind "/dev/$each" "$root/dev/$each"
done
mkdir -m 1777 "$root/dev/shm"
mount -o remount,bind,ro "$root"
cd "$root"
exec chroot --userspec "$user" "$root" /usr/bin/env --ignore-environment --chdir "$folder" "$@"
"""


@dataclass(frozen=True)
class Container:
    """A running container."""

    engine: "subprocess.Popen[bytes]"
    log: Path
    _image: Image
    _environment: dict[str, str]

    @property
    def first(self) -> int:
        """The number, outside of the container, of its process 1."""
        (child,) = Path(f"/proc/{self.engine.pid}/task/{self.engine.pid}/children").read_text().split()
        return int(child)

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command beside process 1, like `docker exec`."""
        user, _, group = self._image.config["User"].partition(":")
        enter = ["nsenter", f"--target={self.first}", "--mount", "--pid", "--root", f"--wd={self._folder}"]
        enter += [f"--setuid={user}", f"--setgid={group}", "/usr/bin/env", "--ignore-environment"]
        return subprocess.run(
            [*enter, *_assigned(self._environment), *command], capture_output=True, text=True, check=False, timeout=600
        )

    def check_health(self) -> "subprocess.CompletedProcess[str]":
        """Run the image's health check."""
        kind, *command = self._image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command)

    @property
    def _folder(self) -> str:
        return f"/proc/{self.first}/root{self._image.config['WorkingDir']}"


@contextmanager
def container(image: Image, data: Path, *command: str, **settings: str) -> Iterator[Container]:
    """Run a command in the image until the end of the block. `data` is its only folder that lasts.

    Args:
        command: what follows the entry point; a command that begins with `prefect` replaces the entry point.
        settings: environment variables beside those of the image.
    """
    data.mkdir(exist_ok=True)
    user, _, group = image.config["User"].partition(":")
    os.chown(data, int(user), int(group))
    environment = image.environment | settings
    entry = [] if command[0] == "prefect" else image.config["Entrypoint"]
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER, "enter"]
    whole = [*unshare, str(image.root), str(data), *_assigned(environment), *entry, *command]
    outside = os.environ | {"user": image.config["User"], "folder": image.config["WorkingDir"]}
    log = data.with_suffix(".log")
    with running(whole, outside, log) as engine:
        yield Container(engine, log, image, environment)


def _assigned(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]
