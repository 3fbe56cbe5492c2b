"""The engine's benchmark runs on a real installation, and its report has every figure."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import archives, engine, engine_report
from benchmarks.complaints import complaints
from benchmarks.engine import Figures, Step
from benchmarks.engine_parts import Burst, Idle, Memory, Minute, disorder
from domain.body.scan import Scanner

BURST = Burst(30, 30, 30, 0.2, 8.0, 0.5)
NO_COMPLAINTS = {"503": 0, "database is locked": 0, "time-out": 0}
MEMORY = Memory(200, 150.0)
MINUTE = Minute(1000, 1000, 1000, 1000, 0.02, 70.0, 7.5, 0.5, 0.001, 3, NO_COMPLAINTS)


def test_archives_have_their_size_and_share_no_scan_and_no_payment() -> None:
    made = archives.template()
    first, second = (archives.archive(made, reference) for reference in archives.references(2))

    assert abs(len(first) - archives.SIZE_BYTES) < 200
    assert len(_scanned(first)) == 3
    (payment,), (other,) = json.loads(first)["payments"], json.loads(second)["payments"]
    assert payment["transaction_id"] != other["transaction_id"]
    assert payment["provider_transaction_result"]["cguid"] != other["provider_transaction_result"]["cguid"]
    assert json.loads(first)["attachments"][0]["content"] != json.loads(second)["attachments"][0]["content"]


def test_disorder_is_the_share_of_pairs_and_the_largest_displacement() -> None:
    assert disorder("abcd", "abcd") == (0, 0)
    assert disorder("abcd", "bacd") == (1 / 6, 1)
    assert disorder("abcd", "dabc") == (3 / 6, 3)
    assert disorder("abcd", "ad") == (0, 0)


def test_complaints_count_lines_with_503s_locks_and_time_outs(tmp_path: Path) -> None:
    lines = [
        "12:00:00.503 | INFO | run 503f2a of 1-503-2 started",
        "Server error '503 Service Unavailable'",
        "sqlite3.OperationalError: database is locked",
        "httpx.ReadTimeout",
    ]
    (tmp_path / "prefect.log").write_text("\n".join(lines))

    assert complaints(tmp_path) == {"503": 1, "database is locked": 1, "time-out": 1}


def test_report_marks_goals_that_fall_short() -> None:
    measured = _measured(list(engine.steps(3)))

    goals = engine_report.goals(measured)

    assert len(goals) == 10
    assert [what for what, _, _, remark in goals if remark] == ["burst, Postgres: of the stock worker's runs/s"]
    assert [row[1] for row in engine_report.engines(measured)] == 2 * ["cellar", "stock"]
    assert [row[1] for row in engine_report.minutes(measured)] == 2 * ["1000 of 1000"]


def test_steps_are_chosen_by_engine_kind_part_and_count() -> None:
    planned = engine.chosen(list(engine.steps(2)), "cellar", "postgres", ["burst"], 100)

    assert [(step.engine, step.kind, step.part, step.count) for step in planned] == 2 * [
        ("cellar", "postgres", "burst", 100)
    ]


@pytest.mark.faults
def test_archives_are_measured_from_post_to_their_recorded_task_runs(
    tmp_path: Path, configure: Callable[..., object]
) -> None:
    planned = [Step("site", "sqlite", "cellar", part, 2) for part in ("idle", "burst", "memory")]

    (_, idle), (_, burst), (_, memory) = engine.run(planned, tmp_path / "work")

    assert isinstance(idle, Idle)
    assert isinstance(burst, Burst)
    assert isinstance(memory, Memory)
    assert [0 < latency_s < 60 for latency_s in idle.latencies_s] == [True] * 2
    assert (burst.posted, burst.completed, burst.recorded) == (2, 2, 2)
    assert burst.runs_per_s > 0
    assert memory.runs == 8  # with two to warm up
    assert memory.rss_mb > 20
    assert {log.name for log in (tmp_path / "work" / "site" / "logs").iterdir()} >= {"api.log", "prefect.log"}


def _scanned(body: bytes) -> list[object]:
    scanner = Scanner()
    scanner.feed(body)
    return list(scanner.close().cuts)


def _measured(planned: list[Step]) -> dict[str, object]:
    """The document of a run in which engines differ only in their idle figures."""
    measured: list[tuple[Step, Figures]] = []
    for step in planned:
        idle = Idle([0.4, 0.5] if step.engine == "cellar" else [3.9, 4.0])
        figures: dict[str, Figures] = {"idle": idle, "burst": BURST, "minute": MINUTE, "memory": MEMORY}
        measured.append((step, figures[step.part]))
    found: dict[str, object] = json.loads(json.dumps(engine.document(3, measured)))
    return found
