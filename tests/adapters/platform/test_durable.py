"""Local files are written whole or not at all."""

from pathlib import Path

import pytest

from adapters.platform.durable import write_file


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "taken", b"data")

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_missing_folder_is_created(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "folder" / "file", b"data")

    assert (tmp_path / "new" / "folder" / "file").read_bytes() == b"data"
