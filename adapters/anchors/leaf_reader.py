"""The program that `adapters/anchors/many_leaves.py` starts several times: it reads a share of a folder's leaves.

    python -m adapters.anchors.leaf_reader FOLDER NUMBER OF

Of the objects' first tuples it reads each OF-th, beginning with the NUMBER-th. For each tuple it writes a line with the
number of bytes, and then a line for each object: the text of its leaf, or `!` and the key of a damaged object.
"""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

from adapters.anchors.leaves import objects_in_folder, text_of, tuples_of
from adapters.files.folder import Folder
from models.errors import Conflict, Transient

DAMAGED = b"!"


def main(folder: Folder, number: int, of: int) -> None:
    gc.disable()  # nothing here makes cycles, and there are many small objects
    for each in tuples_of(folder)[number::of]:
        lines = b"".join(_lines(folder, each))
        sys.stdout.buffer.write(b"%d\n%b" % (len(lines), lines))
    sys.stdout.buffer.flush()


def _lines(folder: Folder, first: str) -> Iterator[bytes]:
    for found in objects_in_folder(folder, [first]):
        try:
            text = text_of(folder, found)
        except Conflict:
            yield b"%b%b\n" % (DAMAGED, found[0].encode())
        else:
            if text is not None:
                yield text + b"\n"


if __name__ == "__main__":
    try:
        main(Folder(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))
    except Transient as error:
        sys.exit(str(error))
