"""A place of backups: a repository of restic, in a folder or a bucket. Errors of restic become our own errors here.

restic encrypts, deduplicates and compresses. It runs as a child that ends with this process. Its password is in its
environment: never in an argument, which every user of the machine can read.

Source: restic 0.18, "Scripting": messages as JSON lines, and exit codes.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from adapters.files.store import storage_at
from adapters.platform.cancellation import checkpoint
from adapters.platform.processes import command_of_child
from adapters.settings.settings import settings
from models.errors import Refused, Transient, WrongUse
from models.said import Sentence
from models.store.backup import Backup

OnProgress = Callable[[float], None]
_HOST = "cellar"  # a container has another name each day, and its files would be read as if they were new
_NAME, _END, _LACKS, _TOMBSTONES = "backup-", "end", "lacks-", "tombstones"
_GENTLE = ("nice -n 10", "ionice -c 2 -n 7")
_LOCK_WAITED_FOR = "5m"
_LOCKED, _WRONG_PASSWORD = 11, 12
_FULL = ("no space left on device", "disk quota exceeded")
_SOME_UNREAD = 3


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved of a folder: bytes in all, and those that the place did not have; files that cannot be read."""

    size_bytes: int
    added_bytes: int
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repository:
    """The backups at a location: a folder, or `s3://BUCKET/PREFIX`."""

    location: str

    def exists(self) -> bool:
        """Return whether there are backups, or once were.

        Raises:
            WrongUse: the folder is not there. It is never made: a disk that is not mounted has an empty place.
            Transient: the place does not answer.
        """
        place = storage_at(self.location)
        if not place.suited(folder=lambda it: it.path.is_dir(), bucket=lambda _: True):
            raise WrongUse(f"the folder {self.location} of backups is not there; mount its disk, or make it")
        return place.size("config") is not None

    def make(self) -> None:
        self._called("init")

    def release_locks(self) -> None:
        """Remove the locks of killed processes of this machine, and those that nobody has renewed for half an hour."""
        if next(storage_at(self.location).listed("locks"), None):
            self._called("unlock")

    def backups(self) -> list[Backup]:
        """Return the backups with all that they have, also unfinished ones, oldest first."""
        parts: dict[str, dict[str, str]] = {}
        lacks: dict[str, int] = {}
        for each in self._snapshots():
            for name in (tag for tag in each["tags"] if tag.startswith(_NAME)):
                for tag in each["tags"]:
                    if tag.startswith(_LACKS):
                        lacks[name] = int(tag.removeprefix(_LACKS))
                    elif tag != name:
                        parts.setdefault(name, {})[tag] = each["id"]
        times = {name: datetime.fromisoformat(name.removeprefix(_NAME)) for name in parts}
        its = sorted(parts.items())
        return [Backup(name, times[name], each, _END in each, lacks.get(name, 0)) for name, each in its]

    def save_folder(
        self, folder: Path, name: str, part: str, leave_out: Sequence[str], on_progress: OnProgress
    ) -> Saved:
        """Save a folder as a part of a backup. Files that disappear meanwhile are left out: nothing is lost by them.

        Args:
            leave_out: what is not saved, as patterns of paths in the folder.
        """
        home = re.sub(r"([\\*?\[])", r"\\\1", str(folder))
        options = [f"--exclude={home}/{each}" for each in leave_out]
        command = ["backup", ".", "--host", _HOST, "--tag", f"{name},{part}", *options]
        summary, unread = dict[str, Any](), dict[str, None]()
        for message in self._messages(command, folder=folder, gentle=True, allowed=(0, _SOME_UNREAD)):
            match message.get("message_type"):
                case "status":
                    on_progress(message.get("percent_done", 0))
                case "error" if not _is_gone(folder / message["item"]):
                    unread[message["item"]] = None
                case "summary":
                    summary = message
        return Saved(summary["total_bytes_processed"], summary["data_added_packed"], tuple(unread))

    def end(self, name: str, lacks: int) -> None:
        """Note that a backup has all its parts, and how many files it lacks. Without this note it is unfinished."""
        self._save_text(name.encode(), f"{name}.txt", f"{name},{_END},{_LACKS}{lacks}")

    def save_tombstones(self, text: bytes) -> None:
        """Save the tombstones of all erased archives, beside the backups."""
        self._save_text(text, "tombstones.json", _TOMBSTONES)

    def kept_tombstones(self) -> list[str]:
        """Return the ids of what `save_tombstones` has saved, newest first."""
        return [each["id"] for each in reversed(self._snapshots()) if _TOMBSTONES in each["tags"]]

    def tombstones(self) -> Iterator[bytes]:
        """Yield all that `save_tombstones` has saved, newest first: the last may lack what another process saved."""
        for each in self.kept_tombstones():
            with TemporaryDirectory() as folder:
                self.restore(each, Path(folder))
                yield Path(folder, "tombstones.json").read_bytes()

    def restore(
        self,
        snapshot: str,
        target: Path,
        below: str = "",
        leave_out: Sequence[str] = (),
        on_progress: OnProgress | None = None,
    ) -> None:
        """Restore a part of a backup, or what lies below a path in it, into a folder. Files there that are right stay.

        Raises:
            Transient: the disk does not take it, or the place does not answer. Call it again.
        """
        what = f"{snapshot}:/{below}" if below else snapshot
        options = [f"--exclude=/{each}" for each in leave_out]
        for message in self._messages(["restore", what, "--target", str(target), *options]):
            if on_progress and message.get("message_type") == "status":
                on_progress(message.get("percent_done", 0))

    def paths(self, snapshot: str, below: str) -> list[str]:
        """Return the paths of the files below a path in a part of a backup."""
        found = self._messages(["ls", snapshot, f"/{below}"])
        return [each["path"].removeprefix("/") for each in found if each.get("type") == "file"]

    def expire(self, chosen: Callable[[list[Backup]], list[Backup]], tombstones: Sequence[str]) -> None:
        """Remove backups, and all bytes that nothing else has: erased content must end.

        Args:
            chosen: returns which of all backups are removed.
            tombstones: which of `kept_tombstones` are removed.
        """
        gone = [each for backup in chosen(self.backups()) for each in backup.parts.values()]
        if ids := [*gone, *tombstones]:
            self._called("forget", *ids)
        if gone:
            self._called("prune", "--max-unused", "0")

    def _snapshots(self) -> list[dict[str, Any]]:
        [found] = self._messages(["snapshots", "--host", _HOST])
        return sorted(({"tags": [], **each} for each in found), key=lambda each: each["time"])

    def _save_text(self, text: bytes, name: str, tags: str) -> None:
        with TemporaryFile() as given:
            given.write(text)
            given.seek(0)
            self._called("backup", "--stdin", "--stdin-filename", name, "--host", _HOST, "--tag", tags, given=given)

    def _called(self, *command: str, given: Any = DEVNULL) -> None:
        for _ in self._messages(list(command), given=given, gentle=True):
            pass

    def _messages(
        self,
        command: list[str],
        *,
        folder: Path | None = None,
        given: Any = DEVNULL,
        gentle: bool = False,
        allowed: Sequence[int] = (0,),
    ) -> Iterator[Any]:
        """Run restic and yield what it says.

        Raises:
            WrongUse: restic is not installed.
            Refused: the password is wrong.
            Transient: a disk is full, the place does not answer, or another process works there.
        """
        # Restic tries for a quarter of an hour to write its cache to a disk that is full. A folder needs no cache.
        cache = [] if self.location.startswith("s3://") else ["--no-cache"]
        begun = _command([*command, *cache, "--json", "--retry-lock", _LOCK_WAITED_FOR], gentle=gentle)
        last, reasons = "", list[str]()
        with Popen(  # noqa: S603 -- our own command
            begun, cwd=folder, stdin=given, stdout=PIPE, stderr=STDOUT, env=self._environment(), text=True
        ) as process:
            try:
                for line in process.stdout or ():
                    checkpoint()
                    message = _parsed(line)
                    if isinstance(message, dict) and message.get("message_type") in ("error", "exit_error"):
                        reasons.append(message.get("message") or message["error"]["message"])
                    if message is None:
                        last = line.strip() or last
                    else:
                        yield message
            except BaseException:
                process.terminate()
                raise
        if process.returncode not in allowed:
            raise _failed(process.returncode, [*reasons, last], command[0], self.location)

    def _environment(self) -> dict[str, str]:
        made = {name: value for name, value in os.environ.items() if not name.startswith(("RESTIC_", "CELLAR_"))}
        place = self.location
        if place.startswith("s3://"):
            from adapters.files import bucket  # noqa: PLC0415 -- a folder does not need boto3

            made |= bucket.for_other_programs()
            made |= {"RESTIC_CACERT": made["AWS_CA_BUNDLE"]} if "AWS_CA_BUNDLE" in made else {}
            place = f"s3:{bucket.client().meta.endpoint_url}/{place.removeprefix('s3://')}"
        return made | {
            "RESTIC_REPOSITORY": place,
            "RESTIC_PASSWORD": settings().active_backup_password(),
            "RESTIC_CACHE_DIR": str(settings().backup_dir / "cache"),
            "RESTIC_PROGRESS_FPS": "1",
            "GOMAXPROCS": "1",  # receiving and processing go on beside it
        }


def _is_gone(path: Path) -> bool:
    """Return whether a file has disappeared. A disk or a right that keeps us from looking says nothing."""
    try:
        path.lstat()
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


def _command(command: list[str], *, gentle: bool) -> list[str]:
    found = shutil.which("restic")
    if found is None:
        raise WrongUse("restic is not installed, which makes the backups: apt-get install restic")
    before = [word for each in _GENTLE if gentle and shutil.which(each.split()[0]) for word in each.split()]
    chain = [*before, found, *command]
    return command_of_child([shutil.which(chain[0]) or chain[0], *chain[1:]])


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _failed(status: int, reasons: Sequence[str], what: str, location: str) -> Refused | Transient:
    """Return what the end of restic means. Its own words name files, and so archives: they are a note."""
    if status == _WRONG_PASSWORD:
        return Refused("BAD_PASSWORD", Sentence.backups_not_opened(), where=location)
    if any(full in reason.lower() for reason in reasons for full in _FULL):
        failed = Transient(Sentence.backup_disk_full())
    elif status == _LOCKED:
        failed = Transient(Sentence.backup_locked())
    else:
        failed = Transient(Sentence.backup_failed(what=what, status=status))
    failed.add_note("; ".join(filter(None, reasons[-2:])))
    return failed
