"""Reads the leaves of many objects at once: from a folder in several processes, from a bucket in several threads.

A folder of few objects is read in this process, since another process takes 0.9 s of processor time to start.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from itertools import cycle, islice
from typing import BinaryIO, cast

from adapters.anchors.leaves import DAMAGED, object_at, objects_in_bucket, objects_in_folder, text_of, tuples_of
from adapters.files.storage import LocalFolder, Storage
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.platform.processes import command_of_child
from models.errors import System, Transient

_THREADS = 16
_AT_ONCE = 256
_MOST_PROCESSES = 8
_FEW_TUPLES = 256
"""The objects of so few first tuples are read in less time than a process takes to start."""
OnDamaged = Callable[[str], None]
"""Called with the key of an object whose inventory or log is damaged."""


def every_text(on_damaged: OnDamaged) -> Iterator[bytes]:
    """Yield the texts of the leaves of all objects of the store, in order of their keys."""
    there = store()
    yield from there.suited(
        folder=lambda it: _in_folder(there, it, on_damaged),
        bucket=lambda it: _by_threads(it, objects_in_bucket(it), on_damaged),
    )


def texts_of(keys: Iterable[str], on_damaged: OnDamaged) -> Iterator[bytes]:
    """Yield the texts of the leaves of some objects of the store, in the order of `keys`, where there is one."""
    there = store()
    found = (object_at(there, key) for key in keys)
    yield from there.suited(
        folder=lambda _: _texts((text_of(there, each) for each in found), on_damaged),
        bucket=lambda _: _by_threads(there, ((key, None) for key in keys), on_damaged),
    )


def _texts(tried: Iterable[bytes | None], on_damaged: OnDamaged) -> Iterator[bytes]:
    for each in tried:
        checkpoint()
        if each is None:
            continue
        if each.startswith(DAMAGED):
            on_damaged(each.removeprefix(DAMAGED).decode())
        else:
            yield each


def _by_threads(
    storage: Storage, objects: Iterable[tuple[str, list[str] | None]], on_damaged: OnDamaged
) -> Iterator[bytes]:
    def _read(key: str, paths: list[str] | None) -> bytes | None:
        return text_of(storage, object_at(storage, key) if paths is None else (key, paths))

    left = iter(objects)
    with ThreadPoolExecutor(_THREADS) as threads:
        while page := list(islice(left, _AT_ONCE)):
            # Each in a copy of the context, which says how often the bucket is asked.
            reading = [threads.submit(copy_context().run, _read, key, paths) for key, paths in page]
            yield from _texts((each.result() for each in reading), on_damaged)


def _in_folder(there: Storage, folder: LocalFolder, on_damaged: OnDamaged) -> Iterator[bytes]:
    tuples = tuples_of(folder)
    if len(tuples) > _FEW_TUPLES:
        return _by_processes(folder, tuples, on_damaged)
    return _texts((text_of(there, each) for each in objects_in_folder(folder, tuples)), on_damaged)


def _by_processes(folder: LocalFolder, tuples: Sequence[str], on_damaged: OnDamaged) -> Iterator[bytes]:
    count = min(os.cpu_count() or 1, _MOST_PROCESSES, len(tuples))
    with ExitStack() as stack:
        readers = [stack.enter_context(_reader(folder, number, count)) for number in range(count)]
        for _, output in zip(tuples, cycle(readers), strict=False):
            yield from _texts(_lines(output), on_damaged)


def _lines(output: BinaryIO) -> list[bytes]:
    """Read the lines of one tuple. A reader that ended early has said why on standard error."""
    length = output.readline()
    lines = output.read(int(length)) if length else b""
    if not length or len(lines) != int(length):
        raise Transient("a process that reads the store has ended early; try again", system=System.STORE)
    return lines.splitlines()


@contextmanager
def _reader(folder: LocalFolder, number: int, of: int) -> Iterator[BinaryIO]:
    process = subprocess.Popen(  # noqa: S603 -- our own program
        command_of_child(
            [sys.executable, "-P", "-m", "adapters.anchors.leaves", str(folder.path), str(number), str(of)]
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        yield cast(BinaryIO, process.stdout)
    finally:
        process.kill()
        process.communicate()
