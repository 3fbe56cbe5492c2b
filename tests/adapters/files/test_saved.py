"""Saved payloads are found in every form, and no hostile tar or zip file costs memory or escapes."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from adapters.files.saved import DAMAGE, payloads, saved_files
from models.errors import Refused


def found(*locations: Path) -> dict[str, bytes]:
    files = saved_files([str(each) for each in locations])
    return {each.name: each.stream.read() for file in files for each in payloads(file)}


def test_members_are_read_and_never_unpacked(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as made:
        for name, kind in {"../escaped": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "._fork": tarfile.REGTYPE}.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "/etc/passwd", 4 * (kind == tarfile.REGTYPE)
            made.addfile(member, io.BytesIO(b"text"))

    assert found(tmp_path / "a.tar") == {f"{tmp_path}/a.tar!../escaped": b"text"}
    assert not (tmp_path.parent / "escaped").exists()


def test_member_in_gzip_is_decompressed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("__MACOSX/one.json.gz", b"of a file manager")
        made.writestr("one.json.gz", gzip.compress(b"text"))

    assert found(tmp_path) == {f"{tmp_path}/a.zip!one.json.gz": b"text"}


def test_header_that_announces_gigabytes_is_damage(tmp_path: Path) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    (tmp_path / "a.tar").write_bytes(header.tobuf() + bytes(1024))

    with pytest.raises(DAMAGE):
        found(tmp_path)


@pytest.mark.parametrize(("name", "data"), [("a.zip", b"no zip"), ("a.tgz", b"no gzip"), ("a.json.gz", b"\x1f\x8b")])
def test_damaged_file_is_reported_as_damage(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(DAMAGE):
        found(tmp_path)


def test_location_of_another_kind_is_refused() -> None:
    with pytest.raises(Refused, match="s3://"):
        list(saved_files(["gs://bucket/prefix"]))
