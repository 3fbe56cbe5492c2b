"""Reads logs of several programs."""

import json
from pathlib import Path

import pytest

from adapters.observation.log_files import followed, human_text, lines_of, rotate, text_of


def add(log: Path, at: str, event: str, **fields: object) -> None:
    with log.open("a") as file:
        file.write(
            json.dumps({"timestamp": f"2026-11-26T08:00:{at}Z", "level": "info", "event": event} | fields) + "\n"
        )


def test_lines_of_all_programs_and_of_renamed_files_are_merged_by_time(tmp_path: Path) -> None:
    add(tmp_path / "api.log.2", "01", "one")
    add(tmp_path / "api.log.1", "03", "three")
    add(tmp_path / "api.log", "05", "five")
    add(tmp_path / "worker.log", "02", "two")
    add(tmp_path / "worker.log", "04", "four")

    found = [(line.program, line.fields["event"]) for line in lines_of(tmp_path)]

    assert found == [("api", "one"), ("worker", "two"), ("api", "three"), ("worker", "four"), ("api", "five")]


def test_line_that_is_no_json_has_the_time_before_it(tmp_path: Path) -> None:
    add(tmp_path / "api.log", "01", "one")
    with (tmp_path / "api.log").open("a") as file:
        file.write("Fatal Python error: Aborted\n\n[1, 2]\n")
    add(tmp_path / "worker.log", "02", "two")

    raw = [line.raw for line in lines_of(tmp_path)]

    assert raw[1:3] == [b"Fatal Python error: Aborted", b"[1, 2]"]
    assert b"two" in raw[3]


def test_following_yields_new_lines_across_rotation_and_from_new_programs(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    add(log, "01", "old")
    lines = followed(tmp_path)
    assert next(lines).fields["event"] == "old"

    with log.open("a") as writer:  # a process that has not yet opened the new file
        rotate(log, limit_bytes=0)
        writer.write('{"timestamp": "2026-11-26T08:00:02Z", "event": "late"}\nhalf a ')
        writer.flush()
        assert next(lines).fields["event"] == "late"
        add(log, "03", "in the new file")
        assert next(lines).fields["event"] == "in the new file"
        writer.write("line\n")
    assert next(lines).raw == b"half a line"
    add(tmp_path / "worker.log", "04", "of a new program")
    assert next(lines).program == "worker"


def test_emptied_log_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    add(log, "01", "a long line before a person empties the log")
    lines = followed(tmp_path)
    next(lines)

    log.write_text("")
    add(log, "02", "short")

    assert next(lines).fields["event"] == "short"


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202e"])
def test_text_for_people_has_escapes_in_place_of_control_characters(tmp_path: Path, text: str) -> None:
    add(tmp_path / "api.log", "01", "said", what=f"a{text}b")
    (line,) = lines_of(tmp_path)

    shown = human_text(line, colors=False)

    assert text not in shown
    assert "api: said" in shown


def test_trace_is_shown_in_lines() -> None:
    line = '{"timestamp": "2026-11-26T08:00:01Z", "level": "error", "event": "failed", "exception": "Traceback\\n  x"}'

    assert text_of(line).splitlines()[-2:] == ["Traceback", "  x"]
    assert text_of("raw") == "raw"
