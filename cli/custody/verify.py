"""`cellar verify`: checks the store against its digests and its receipts, and the database against the store.

A note in the data folder has the progress, so that an interrupted check can be resumed.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich import progress as bars
from rich.console import Console

from adapters.files import bucket
from adapters.platform.durable import write_file
from adapters.settings.settings import settings
from adapters.tables.archives import archives
from cli.terminal import Json, cell, time_text
from models.archive.verdict import Judged
from models.errors import Conflict, Refused
from models.store.condition import OF_FAULTS
from models.store.fixity import NOTHING, Fault, Fixity, FixityFinding, StoredObject
from services.anchors.anchors import Held, hold
from services.custody.objects import drawn, object_of, stored_objects
from services.custody.remembering import Memory
from services.custody.verifying import absent_store, helpers

_MOST_SHOWN = 50


def judge_again(objects: Sequence[StoredObject] | None, share: float) -> Judged:
    """Judge the signed documents of objects again; without `objects`, of a random share of the store.

    Raises as `judge_objects` does.
    """
    from services.custody.judging_again import judge_objects  # noqa: PLC0415 -- slow, and for --signatures alone

    seed = time.time_ns()

    def chosen() -> Iterator[StoredObject]:
        return drawn(stored_objects(), share, seed) if objects is None else iter(objects)

    with _bar(chosen, is_counted=True) as advance:
        return judge_objects(chosen(), lambda judged, _: advance(judged))


def print_judged(console: Console, judged: Judged) -> None:
    for wrong in judged.contradictions:
        console.print(
            f"contradicted: {wrong.key}: {wrong.about}: the kept verdict says {wrong.kept}, found {wrong.found}; a "
            "person must look at the document, since neither time nor trust roots explain it"
        )
    for key, reason in judged.unjudged:
        console.print(f"not judged: {key}: {reason}")
    for key, reason in judged.unkept:
        console.print(f"not kept: {key}: {reason}")
    for change in judged.changes[:_MOST_SHOWN]:
        said = f"{change.before} → {change.now}{' (worse)' if change.is_worse else ''}"
        console.print(f"judged differently: {cell(change.reference)}, version {change.version}: {said}")
    if judged.changes_in_all > _MOST_SHOWN:
        more = judged.changes_in_all - _MOST_SHOWN
        console.print(f"and {more:,} more judged differently; `cellar show REFERENCE` shows each")
    result = "no contradiction" if judged.is_sound else "NOT SOUND"
    console.print(f"{judged.documents} signed documents judged again, {judged.kept} new judgements kept: {result}")


_NOTED_EVERY_S = 2


class Note:
    """The progress of a check. `last_key`: the key of the last verified object. `fixity`: the findings in the verified
    objects. Outside of objects every check starts again.
    """

    def __init__(self, share: float, *, resume: bool) -> None:
        """Read the note of the interrupted check, if any; without `resume`, remove it.

        Raises:
            Refused: the check was of another store or another share.
            Conflict: the note is damaged.
        """
        self._path = settings().check_note
        self._check = {"store": settings().store_location, "share": share}
        self.seed, self._started_at = time.time_ns(), datetime.now(UTC).isoformat()
        self._note_at = time.monotonic()
        self.last_key, self.fixity = "", NOTHING
        if not resume:
            self.remove()
        elif self._path.exists():
            try:
                self._read(json.loads(self._path.read_bytes()))
            except (ValueError, KeyError, TypeError) as error:
                raise Conflict(f"{self._path} is damaged; start a new check, without --resume") from error

    def _read(self, noted: dict[str, Any]) -> None:
        self.seed, self._started_at = int(noted["seed"]), str(noted["started_at"])
        if {name: noted[name] for name in self._check} != self._check:
            detail = (
                f"the check of {self._started_at} had --sample {noted['share']:g} and the store {noted['store']}; "
                "resume with the same, or start a new check without --resume"
            )
            raise Refused("OTHER_CHECK", detail, where="resume")
        findings = tuple(FixityFinding(**{**each, "fault": Fault(each["fault"])}) for each in noted["findings"])
        self.last_key = noted["last_key"]
        self.fixity = Fixity(noted["objects"], noted["files"], noted["size_bytes"], findings)

    def take(self, verified: StoredObject, fixity: Fixity) -> None:
        """Add the findings of an object. Write the note every few seconds, unless there is no data folder."""
        if not verified.key:
            return
        self.fixity += fixity
        self.last_key = max(self.last_key, verified.key)
        if time.monotonic() >= self._note_at and self._path.parent.is_dir():
            noted = {"seed": self.seed, "started_at": self._started_at, "last_key": self.last_key}
            write_file(self._path, json.dumps(self._check | noted | asdict(self.fixity)).encode())
            self._note_at = time.monotonic() + _NOTED_EVERY_S

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def print_held(held: Held) -> None:
    """Print how far an anchor covers the store."""
    if held.at is None:
        typer.echo(f"no anchor has the root {held.root}; compare it with your note, since a digit may be wrong")
        return
    typer.echo(
        f"compared with anchor {held.number} of {time_text(held.at)}: archives and reports covered: {held.covered:,}, "
        f"with newer versions: {held.newer:,}, not covered: {held.uncovered:,}, erased: {held.erased:,}"
    )


def json_of(held: Held | None) -> dict[str, object]:
    """Return what `--json` adds. The findings are among those of the check."""
    if held is None:
        return {}
    at = held.at and held.at.isoformat()
    counts = {"covered": held.covered, "newer": held.newer, "uncovered": held.uncovered, "erased": held.erased}
    return {"against": {"root": held.root, "number": held.number, "at": at, **counts}}


_NOTHING_TO_DO = "Nothing to do: the next run of the archive completes it."
_console = Console(markup=False, emoji=False, soft_wrap=True)


def verify(  # noqa: PLR0913 -- a parameter per option
    references: Annotated[
        list[str] | None, typer.Argument(help="Archives to verify. Default: the whole store.")
    ] = None,
    *,
    sample: Annotated[
        float, typer.Option(min=0, max=1, help="Verify only a random share of the archives, between 0 and 1.")
    ] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Check file digests only.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue where the last check was interrupted.")] = False,
    signatures: Annotated[
        bool, typer.Option("--signatures", help="Also judge the signed documents again, by today's trust roots.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="ROOT",
            help="Also compare the store with an anchor: its root, or the path of its statement as the witness has it.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every file against its digest, every version against its receipt, and the rows of the database against
    the store. Exits with 1 if anything is damaged, missing, unknown or different.

    With --signatures, also if a recorded verdict is better than its document. With --against, also if something
    that was anchored has disappeared or changed.
    """
    judged = held = None
    note = None if references else Note(sample, resume=resume)
    with bucket.patient(), helpers() as processes:
        memory = Memory(is_quick=quick, processes=processes)
        fixity, in_all = absent_store(), 0
        if fixity is None:
            fixity, in_all = _verify_store(note, sample, memory) if note else _verify_some(references or (), memory)
            judged = judge_again(_objects_of(references) if references else None, sample) if signatures else None
            held = hold(against, references or ()) if against else None
        else:
            memory.end_of_store(fixity)
    if held:
        fixity += Fixity(0, 0, 0, held.findings)
    if held and not as_json:
        print_held(held)
    _print(fixity, in_all, judged, held, as_json=as_json)
    if memory.failure:
        typer.echo(
            f"`cellar status` and the console will not know what this check has found: {memory.failure}", err=True
        )
    if not fixity.is_sound or (judged and not judged.is_sound):
        raise typer.Exit(1)


def _verify_some(references: Iterable[str], memory: Memory) -> tuple[Fixity, int]:
    objects = _objects_of(references)
    with _bar(lambda: objects) as advance:
        return memory.check(objects, lambda verified, _: advance(verified)), len(objects)


def _objects_of(references: Iterable[str]) -> list[StoredObject]:
    """Return the objects of processes. Raises Refused if neither store nor database has a version of one of them."""
    objects = {reference: object_of(reference) for reference in references}
    for reference, stored in objects.items():
        if not stored.sizes and not archives.has_versions(reference):
            detail = "nothing of this process is archived yet; `cellar show REFERENCE` shows its state"
            raise Refused("NOT_ARCHIVED", detail, where=reference)
    return list(objects.values())


def _verify_store(note: Note, share: float, memory: Memory) -> tuple[Fixity, int]:
    """Verify a share of the store, and return the findings and the number of all archives."""
    seed, after, earlier = note.seed, note.last_key, note.fixity
    with _bar(lambda: drawn(stored_objects(), share, seed, after), earlier.size_bytes) as advance:

        def take(verified: StoredObject, fixity: Fixity) -> None:
            note.take(verified, fixity)
            advance(verified)

        found = memory.check_store(share, seed, take, after=after, earlier=earlier)
    note.remove()
    return found


@contextmanager
def _bar(
    objects: Callable[[], Iterable[StoredObject]], done: int = 0, *, is_counted: bool = False
) -> Iterator[Callable[[StoredObject], None]]:
    """Show the progress on a terminal, in objects or in bytes. For this, the objects are listed once before."""
    console = Console(stderr=True)
    of_bytes = (bars.TaskProgressColumn(), bars.DownloadColumn(), bars.TransferSpeedColumn())
    amounts = (bars.TextColumn("signatures"), bars.MofNCompleteColumn()) if is_counted else of_bytes

    def size(each: StoredObject) -> int:
        return bool(each.key) if is_counted else each.size_bytes

    columns = (bars.BarColumn(), *amounts, bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        left = sum(map(size, objects())) if console.is_terminal else 0
        task = progress.add_task("verify", total=done + left, completed=done)
        yield lambda each: progress.advance(task, size(each))


def _print(fixity: Fixity, in_all: int, judged: Judged | None, held: Held | None, *, as_json: bool) -> None:
    if as_json:
        about = {"objects_in_all": in_all, "is_sound": fixity.is_sound}
        signatures = {"signatures": asdict(judged) | {"is_sound": judged.is_sound}} if judged else {}
        typer.echo(json.dumps(asdict(fixity) | about | signatures | json_of(held)))
        return
    for finding in fixity.gravest_first:
        _console.print(f"{finding.fault}: {finding.key}: expected {finding.expected}, found {finding.found}")
    found = Counter(finding.fault for finding in fixity.findings)
    for to_do, faults in _advice(found).items():
        _console.print(f"→ {', '.join(faults)}: {to_do}")
    counts = ", ".join(f"{found[fault]:,} {fault}" for fault in Fault if found[fault])
    result = "sound" if fixity.is_sound else f"NOT SOUND: {counts}"
    _console.print(f"{fixity.objects} of {in_all} archives, {fixity.files} files, {fixity.size_bytes} bytes: {result}")
    if fixity.erased:
        _console.print(f"{fixity.erased} archives were erased, as their tombstones say")
    if judged:
        print_judged(_console, judged)


def _advice(found: Iterable[Fault]) -> dict[str, list[Fault]]:
    """Return what to do about faults, with the faults that it is about, the gravest first."""
    advice: dict[str, list[Fault]] = {}
    for fault in Fault:
        if fault in found:
            to_do = OF_FAULTS[fault].meaning.to_do if fault in OF_FAULTS else _NOTHING_TO_DO
            advice.setdefault(to_do, []).append(fault)
    return advice
