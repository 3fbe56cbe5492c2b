"""Exports a table in a process of its own, of the lowest priority: a full export needs a processor for minutes, and in
the receiver's process all senders would wait for it.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from adapters.platform.imports import uncollected
from adapters.platform.processes import command_of_child
from models.access import Caller
from models.errors import CellarError, Transient

Piece = tuple[int, bytes]
"""A piece of a file, with the number of rows that are read so far."""


def exported(name: str | None, template_id: str | None, caller: Caller, ending: str) -> tuple[str, Iterator[Piece]]:
    """Return the name of a table, and the pieces of a file with it. Arguments and errors are those of `opened`.

    The process ends with the pieces, and with this process. If it fails, the pieces end with a Transient.
    """
    answers = _answers(pickle.dumps((name, template_id, caller, ending)))
    return next(answers), answers


def _answers(asked: bytes) -> Iterator[Any]:
    command = command_of_child([sys.executable, "-P", "-m", "services.table_process"])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:  # noqa: S603 -- our own
        try:
            if child.stdin and child.stdout:
                child.stdin.write(asked)
                child.stdin.close()
                while answer := pickle.load(child.stdout):  # noqa: S301 -- our own child says it
                    if isinstance(answer, CellarError):
                        raise answer
                    yield answer
        except EOFError:
            raise Transient("the process that exports the table has ended; export it again") from None
        finally:
            child.kill()


def main() -> None:
    """Export what the input asks for. Say the table's name, the pieces, and None; or the error."""
    os.nice(19)
    try:
        for answer in _said(*pickle.load(sys.stdin.buffer)):  # noqa: S301 -- our own parent asks it
            pickle.dump(answer, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except CellarError as error:
        pickle.dump(error, sys.stdout.buffer)


def _said(name: str | None, template_id: str | None, caller: Caller, ending: str) -> Iterator[Any]:
    from adapters.lists.table_files import written  # noqa: PLC0415 -- the parent does without pyarrow
    from services.tables import opened  # noqa: PLC0415 -- likewise

    rows = 0

    def _counted(batch: Any) -> Any:
        nonlocal rows
        rows += batch.num_rows
        return batch

    # What the rows are made of is freed without collections, which would take a third of the time.
    with uncollected():
        table = opened(name, template_id, caller)
        yield table.name
        for piece in written(ending, table.columns, map(_counted, table.batches)):
            yield rows, piece
    yield None


if __name__ == "__main__":
    main()
