"""`cellar verify`: whether the store still holds what was written into it."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import DownloadColumn, MofNCompleteColumn, Progress, SpinnerColumn, TransferSpeedColumn

from adapters import archives, store
from adapters.durable import write_file
from adapters.settings import settings
from flows.verifying import drawn, missing, object_of, stored_objects, verify_beside, verify_objects
from models.errors import Conflict, Refused
from models.fixity import NOTHING, Fault, Fixity, FixityFinding, StoredObject

_NOTED_EVERY_S = 2
_console = Console(markup=False, emoji=False, soft_wrap=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def verify(
    references: Annotated[list[str] | None, typer.Argument(help="Processes; without one, the whole store.")] = None,
    *,
    sample: Annotated[float, typer.Option(min=0, max=1, help="Verify such a share of the archives, by chance.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the last one was broken off.")] = False,
    as_json: Json = False,
) -> None:
    """Check every file of the store against its digest. Exits with 1 when one is damaged, missing or unknown."""
    with store.patient():
        fixity = verify_objects(_shown(_objects_of(references))) if references else _verify_store(sample, resume=resume)
    _print(fixity, as_json=as_json)
    if not fixity.is_sound:
        raise typer.Exit(1)


def _objects_of(references: Iterable[str]) -> list[StoredObject]:
    """The objects of some processes.

    Raises:
        Refused: one is not archived, by store and database alike.
    """
    objects = [object_of(each) for each in references]
    for reference, stored in zip(references, objects, strict=True):
        if not stored.sizes and not archives.has_versions(reference):
            detail = "nothing of this process is archived yet; `cellar show` tells where it stands"
            raise Refused("NOT_ARCHIVED", detail, where=reference)
    return objects


def _verify_store(share: float, *, resume: bool) -> Fixity:
    note = _Note(resume=resume)
    seen: set[str] = set()

    def listed() -> Iterator[StoredObject]:
        for each in stored_objects():
            seen.add(each.key)
            if each.key > note.last_key or (not each.key and not note.last_key):
                yield each

    verify_objects(_shown(drawn(listed(), share, time.time_ns())), note.take)
    fixity = note.fixity + missing(seen) + verify_beside()
    note.remove()
    return fixity


class _Note:
    """How far the check is, kept beside the data for one that is broken off."""

    def __init__(self, *, resume: bool) -> None:
        self._path = settings().data_dir.absolute() / "verify.json"
        self._noted_at = time.monotonic()
        self.last_key, self.fixity = "", NOTHING
        if resume and self._path.exists():
            try:
                self._read()
            except (ValueError, KeyError, TypeError) as error:
                raise Conflict(f"{self._path} is damaged: begin anew, without --resume") from error

    def _read(self) -> None:
        noted = json.loads(self._path.read_bytes())
        findings = tuple(FixityFinding(**{**each, "fault": Fault(each["fault"])}) for each in noted["findings"])
        self.last_key = noted["last_key"]
        self.fixity = Fixity(noted["objects"], noted["files"], noted["size_bytes"], findings)

    def take(self, verified: StoredObject, fixity: Fixity) -> None:
        self.fixity += fixity
        if verified.key:
            self.last_key = verified.key
        if time.monotonic() > self._noted_at + _NOTED_EVERY_S:
            write_file(self._path, json.dumps({"last_key": self.last_key} | asdict(self.fixity)).encode())
            self._noted_at = time.monotonic()

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _shown(objects: Iterable[StoredObject]) -> Iterator[StoredObject]:
    """Show on a terminal how far it is; the objects come out as they are."""
    columns = (SpinnerColumn(), MofNCompleteColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("verify", total=None)
        for each in objects:
            yield each
            progress.advance(task, sum(each.sizes.values()))


def _print(fixity: Fixity, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(fixity) | {"is_sound": fixity.is_sound}))
        return
    for finding in fixity.findings:
        _console.print(f"{finding.fault}: {finding.key}: expected {finding.expected}, found {finding.found}")
    result = "sound" if fixity.is_sound else "NOT SOUND"
    _console.print(f"{fixity.objects} archives, {fixity.files} files, {fixity.size_bytes} bytes: {result}")
