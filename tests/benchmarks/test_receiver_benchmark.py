"""Every server of the receiver's benchmark takes the sender's bodies, and the report compares the servers."""

import json
from pathlib import Path

import pytest
from rich.progress import Progress

from benchmarks import bodies, report
from benchmarks.receiver import Case, document, run_round
from domain.body.scan import Scanner


@pytest.mark.parametrize("is_escaped", [False, True])
@pytest.mark.parametrize("strings", [1, 7])
def test_bodies_are_unique_archives_of_about_their_size(strings: int, is_escaped: bool) -> None:
    made = bodies.template(200_000, strings, is_escaped=is_escaped)
    first, second = (b"".join(bodies.body_parts(made)) for _ in range(2))

    scanner = Scanner()
    scanner.feed(first)
    scan = scanner.close()

    assert abs(len(first) - 200_000) < 5_000
    assert len(scan.cuts) == strings
    assert first != second
    assert (rb"\/" in first) == is_escaped


def test_each_server_takes_a_case_and_the_report_compares_them(tmp_path: Path) -> None:
    planned = [Case(20_000, 1, 2)]
    with Progress(disable=True) as progress:
        figures = [run_round(tmp_path, planned, progress)]

    (case,) = json.loads(json.dumps(document(planned, figures)))["cases"]
    (row,) = report.matrix({"cases": [case]})
    assert {"cellar", "floor", "streaming", "whole", "parameter"} <= set(case["servers"])
    assert row[:3] == ["20 KB", "1", "2"]
    assert [float(cell.removeprefix("× ")) > 0 for cell in row[3:8]] == [True] * 5
