"""Writes the corpus into a folder, or judges a folder of PDFs against a table of expectations.

    python -m tests.adapters.documents.corpus FOLDER            # writes the files, and the table as expected.csv
    python -m tests.adapters.documents.corpus FOLDER --judge    # judges the files that FOLDER/expected.csv lists

The table has the columns file, kind (legitimate or forged), expected and why. The judgement prints each file whose
outcome differs, and how often each outcome was expected and found.
"""

import csv
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adapters.documents.examination import examine
from tests.adapters.documents.corpus.clock import JUDGED_AT
from tests.adapters.documents.corpus.recipes import made, rows

_TABLE = "expected.csv"


def main() -> None:
    if len(sys.argv) not in {2, 3} or sys.argv[2:] not in ([], ["--judge"]):
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    if sys.argv[2:]:
        _judge(folder)
    else:
        _write(folder)


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _TABLE).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "kind", "expected", "why"])
        for row in rows():
            (folder / row.file_name).write_bytes(made(row.name))
            table.writerow([row.file_name, "legitimate" if row.is_legitimate else "forged", row.expected_text, row.why])
    sys.stdout.write(f"{len(rows())} files in {folder}\n")


def _judge(folder: Path) -> None:
    with (folder / _TABLE).open(newline="") as file:
        expected = list(csv.DictReader(file))
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda row: _outcome(folder / row["file"]), expected))
    for row, outcome in zip(expected, found, strict=True):
        if outcome not in row["expected"].split(" or "):
            sys.stdout.write(f"{row['file']}: {row['kind']}, expected {row['expected']}, found {outcome}\n")
    pairs = Counter((row["kind"], row["expected"], outcome) for row, outcome in zip(expected, found, strict=True))
    sys.stdout.write(f"\n{'kind':<12}{'expected':<32}{'found':<16}files\n")
    for (kind, right, outcome), count in sorted(pairs.items()):
        sys.stdout.write(f"{kind:<12}{right:<32}{outcome:<16}{count:5}\n")


def _outcome(path: Path) -> str:
    return examine(path, [], now=JUDGED_AT).outcome


if __name__ == "__main__":
    main()
